// The pay page's one script of ours: it puts Stripe's Payment Element into the page and sends the form.
// The page is whole without it; every word it shows comes from the form's data attributes.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const form = byId("checkout");
  const words = form.dataset;
  const button = byId("pay");
  const buttonText = byId("pay-text");
  const payWords = buttonText.textContent;
  const status = byId("status");
  const load = byId("load");
  const again = byId("again");
  const plainTitle = document.title.replace(/^Error: /, "");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const GIVE_UP_MS = 25000;
  const SLOW_MS = 8000;

  let stripe = null;
  let elements = null;
  let element = null;
  let ready = false;
  let busy = false;
  let pressedEarly = false;
  let loadTimers = [];

  // ---- the card form ----

  function look() {
    const css = getComputedStyle(document.documentElement);
    const token = (name) => css.getPropertyValue(name).trim();
    return {
      theme: dark.matches ? "night" : "stripe",
      variables: {
        colorPrimary: token("--edge"),
        colorBackground: token("--bg"),
        colorText: token("--ink"),
        colorTextSecondary: token("--ink2"),
        colorDanger: token("--err"),
        fontFamily: token("--system"),
        fontSizeBase: "16px",
        borderRadius: token("--radius"),
        spacingUnit: "4px",
      },
      rules: {
        ".Input": { border: `1px solid ${token("--field")}`, boxShadow: "none" },
        ".Input:focus": { border: `1px solid ${token("--ink")}`, boxShadow: `0 0 0 1px ${token("--ink")}` },
        ".Label": { fontSize: "14px", fontWeight: "500" },
      },
    };
  }

  function showLoad(title, help, canRetry) {
    byId("load-title").textContent = title;
    byId("load-help").textContent = help;
    again.hidden = !canRetry;
    load.hidden = false;
    status.textContent = "";
  }

  function loadFailed() {
    loadTimers.forEach(clearTimeout);
    if (ready) return;
    byId("bars").hidden = true;
    showLoad(words.failed, words.failedHelp, true);
  }

  function watchLoading() {
    loadTimers = [
      setTimeout(() => showLoad(words.loading, "", false), 3000),
      setTimeout(loadFailed, 10000),
    ];
  }

  function mount() {
    stripe = window.Stripe(words.key, { stripeAccount: words.account || undefined, locale: words.locale });
    const options = {
      mode: words.mode,
      currency: words.currency,
      allowedPaymentMethodTypes: words.methods.split(" "),
      appearance: look(),
    };
    if (words.mode === "payment") options.amount = Number(words.amount);
    if (words.store) options.setupFutureUsage = words.store;
    elements = stripe.elements(options);
    element = elements.create("payment", {
      layout: { type: "accordion" },
      fields: { billingDetails: { name: "never", email: "never" } },
      terms: { card: "never" },
    });
    element.on("ready", () => {
      ready = true;
      loadTimers.forEach(clearTimeout);
      byId("bars").hidden = true;
      load.hidden = true;
      if (pressedEarly) {
        pressedEarly = false;
        status.textContent = "";
        element.focus();
      }
    });
    element.on("loaderror", loadFailed);
    element.mount("#payment-element");
  }

  function begin() {
    watchLoading();
    if (window.Stripe) return mount();
    const script = byId("stripe-js");
    script.addEventListener("load", mount);
    script.addEventListener("error", loadFailed);
  }

  again.addEventListener("click", () => {
    load.hidden = true;
    byId("bars").hidden = false;
    if (element) {
      element.destroy();
      element = null;
    }
    if (!window.Stripe) {
      const old = byId("stripe-js");
      const fresh = document.createElement("script");
      fresh.id = old.id;
      fresh.nonce = old.nonce;
      fresh.src = old.src;
      old.replaceWith(fresh);
    }
    begin();
  });

  dark.addEventListener("change", () => { if (elements) elements.update({ appearance: look() }); });

  // ---- the fields ----

  function fieldProblem(name) {
    const value = form.elements[name].value.trim();
    if (!value) return form.elements[name].dataset.empty;
    if (name === "email" && !/@|＠/.test(value)) return form.elements[name].dataset.unlike;
    return "";
  }

  function mark(name, message) {
    const input = form.elements[name];
    const line = byId(`${name}-error`);
    if (!line) return; // an invoice says whom it is for, so its page has no such field
    const hint = byId(`${name}-hint`);
    line.hidden = !message;
    line.querySelector("span").textContent = message;
    input.closest(".field").classList.toggle("wrong", Boolean(message));
    input.toggleAttribute("aria-invalid", false);
    if (message) input.setAttribute("aria-invalid", "true");
    const described = [message ? line.id : "", hint ? hint.id : ""].filter(Boolean).join(" ");
    if (described) input.setAttribute("aria-describedby", described);
    else input.removeAttribute("aria-describedby");
  }

  function drawSummary(problems) {
    const box = byId("errors");
    const list = box.querySelector("ul");
    box.querySelector("h2").textContent =
      problems.length === 1 ? words.one : words.many.replace("#", String(problems.length));
    list.replaceChildren(...problems.map(({ field, message }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#${field}`;
      link.textContent = message;
      item.append(link);
      return item;
    }));
    box.hidden = problems.length === 0;
    document.title = problems.length ? `Error: ${plainTitle}` : plainTitle;
  }

  function showProblems(problems) {
    for (const name of ["email", "name"]) {
      const problem = problems.find(({ field }) => field === name);
      mark(name, problem ? problem.message : "");
    }
    drawSummary(problems);
    if (problems.length) byId("errors").focus();
  }

  const email = form.elements.email;
  email.addEventListener("blur", () => { if (email.value.trim()) mark("email", fieldProblem("email")); });
  for (const name of ["email", "name"]) {
    form.elements[name].addEventListener("input", () => {
      if (!byId(`${name}-error`).hidden && !fieldProblem(name)) mark(name, "");
    });
  }
  byId("errors").addEventListener("click", (event) => {
    if (event.target.hash === "#element" && element) {
      event.preventDefault();
      element.focus();
    }
  });

  // ---- the press ----

  function setBusy(on) {
    busy = on;
    form.classList.toggle("busy", on);
    for (const name of ["email", "name"]) form.elements[name].readOnly = on;
    if (on) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    buttonText.textContent = on ? words.paying : payWords;
    status.textContent = "";
  }

  function showNote(title, text) {
    const note = byId("decline");
    setBusy(false);
    note.querySelector("strong").textContent = title;
    note.querySelector("span").textContent = text;
    note.hidden = false;
    document.title = `Error: ${plainTitle}`;
    note.focus();
  }

  const toChecking = () => location.assign(words.checking);

  async function send(token) {
    const body = new URLSearchParams(new FormData(form));
    body.set("confirmation_token", token);
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), GIVE_UP_MS);
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body,
        signal: giveUp.signal,
      });
      return response.status >= 500 ? null : await response.json();
    } catch {
      return null; // lost on the way there or back: only the server knows what became of it
    } finally {
      clearTimeout(timer);
    }
  }

  async function act(answer) {
    const result = await stripe.handleNextAction({ clientSecret: answer.client_secret });
    const intent = result.error && (result.error.payment_intent || result.error.setup_intent);
    const last = intent && (intent.last_payment_error || intent.last_setup_error || result.error);
    const unproved = last && /_intent_authentication_failure$/.test(last.code);
    // Not authenticated, or closed: nothing typed is lost. A bank that declines after that is the server's to explain.
    if (unproved && intent.status === "requires_payment_method") showNote(words.refused, words.refusedHelp);
    else location.assign(answer.location);
  }

  function follow(answer) {
    if (!answer) return toChecking();
    switch (answer.status) {
      case "requires_action":
        status.textContent = "";
        return act(answer).catch(() => location.assign(answer.location));
      case "declined":
      case "too_many_tries":
      case "refused":
        return showNote(answer.title, answer.text);
      case "invalid":
        setBusy(false);
        return showProblems(answer.errors);
      case "changed":
        return location.replace(answer.location);
      default:
        return answer.location ? location.assign(answer.location) : toChecking();
    }
  }

  async function pay() {
    let sent = false;
    setBusy(true);
    byId("decline").hidden = true;
    const slow = setTimeout(() => { status.textContent = words.slow; }, SLOW_MS);
    try {
      const problems = ["email", "name"]
        .map((field) => ({ field, message: fieldProblem(field) }))
        .filter(({ message }) => message);
      const checked = await elements.submit();
      if (checked.error) problems.push({ field: "element", message: words.incomplete });
      if (problems.length) {
        setBusy(false);
        return showProblems(problems);
      }
      showProblems([]);
      const made = await stripe.createConfirmationToken({
        elements,
        params: {
          payment_method_data: {
            billing_details: { name: form.elements.name.value.trim(), email: email.value.trim() },
          },
        },
      });
      if (made.error) {
        const ours = made.error.type === "validation_error" || made.error.type === "card_error";
        return ours ? showNote(words.incomplete, words.incompleteHelp) : showNote(words.unreached, words.unreachedHelp);
      }
      sent = true;
      const answer = await send(made.confirmationToken.id);
      clearTimeout(slow);
      return await follow(answer);
    } catch {
      return sent ? toChecking() : showNote(words.unreached, words.unreachedHelp);
    } finally {
      clearTimeout(slow);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) return;
    if (!ready) {
      if (!again.hidden && !load.hidden) return again.focus();
      pressedEarly = true;
      status.textContent = words.wait;
      return;
    }
    pay();
  });

  // Back from a receipt, a browser may show this page as it was left: spinning. The server knows better.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  begin();
})();
