// A stand-in for https://js.stripe.com with what Till uses of it, served by the Stripe sandbox.
// Card data never passes through this file: it is typed into the frame, which talks to the sandbox itself.
(() => {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src).origin;
  const FRAME_TITLE = "Secure payment input frame";
  // The height with English words and a 4 px rim, where the focus rings are drawn.
  const START_HEIGHT = 262;
  const RIM = 4;
  const PATIENCE_MS = 1000;
  const KNOWN_ELEMENTS_OPTIONS = new Set([
    "mode", "amount", "currency", "setupFutureUsage", "allowedPaymentMethodTypes", "excludedPaymentMethodTypes",
    "appearance", "locale", "loader", "captureMethod", "onBehalfOf", "fonts", "paymentMethodOptions",
  ]);
  let frames = 0;

  class IntegrationError extends Error {
    constructor(message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  const check = (condition, message) => {
    if (!condition) throw new IntegrationError(message);
  };

  // https://docs.stripe.com/js/elements_object/create_without_intent
  function checkElementsOptions(options) {
    check(!("paymentMethodTypes" in options),
      "paymentMethodTypes is no longer supported. Use allowedPaymentMethodTypes instead.");
    for (const name of Object.keys(options)) {
      if (!KNOWN_ELEMENTS_OPTIONS.has(name)) console.warn(`Unrecognized elements() parameter: ${name}`);
    }
    check(options.mode === "payment" || options.mode === "setup",
      `Invalid value for elements(): mode should be one of payment or setup. You specified: ${options.mode}.`);
    if (options.mode === "payment") {
      check(Number.isInteger(options.amount) && options.amount > 0,
        `Invalid value for elements(): amount should be a positive integer. You specified: ${options.amount}.`);
      check(typeof options.currency === "string" && /^[a-z]{3}$/.test(options.currency),
        `Invalid value for elements(): currency should be a lower-case currency code. You specified: ${options.currency}.`);
    }
    if (options.setupFutureUsage != null) {
      check(["off_session", "on_session"].includes(options.setupFutureUsage),
        "Invalid value for elements(): setupFutureUsage should be off_session or on_session.");
    }
  }

  class PaymentElement {
    constructor(elements, options) {
      this.elements = elements;
      this.options = options;
      this.listeners = new Map();
      this.waiting = new Map();
      this.questions = 0;
      this.frame = null;
      this.greeted = false;
      this.ready = null;
      this.onMessage = this.onMessage.bind(this);
    }

    mount(place) {
      const holder = typeof place === "string" ? document.querySelector(place) : place;
      check(holder instanceof Element,
        `The selector you specified (${place}) applies to no DOM elements that are currently on the page. ` +
        "Make sure the element exists on the page before calling mount().");
      check(this.frame === null, "This Element is already mounted.");
      const { stripe } = this.elements;
      const query = new URLSearchParams({ parent: location.origin, locale: this.elements.locale });
      if (stripe.account) query.set("account", stripe.account);
      const frame = document.createElement("iframe");
      frame.title = FRAME_TITLE;
      frame.name = `__privateStripeFrame${(frames += 1)}`;
      frame.allow = "payment *";
      Object.assign(frame.style, {
        border: "0", display: "block", width: `calc(100% + ${2 * RIM}px)`, height: `${START_HEIGHT}px`,
        margin: `-${RIM}px`, padding: "0", maxWidth: "none",
        colorScheme: "normal", background: "transparent",
      });
      this.ready = new Promise((resolve) => { this.nowReady = resolve; });
      this.frame = frame;
      window.addEventListener("message", this.onMessage);
      frame.src = `${ORIGIN}/elements/payment?${query}`;
      holder.replaceChildren(frame);
      // A frame that could not load fires `load` as well, for the browser's error page, but never says hello.
      frame.addEventListener("load", () => setTimeout(() => {
        if (this.frame !== frame || this.greeted) return;
        const error = { type: "api_connection_error", message: "The payment form could not be loaded." };
        this.emit("loaderror", { elementType: "payment", error });
      }, PATIENCE_MS));
      return this;
    }

    unmount() {
      window.removeEventListener("message", this.onMessage);
      if (this.frame) this.frame.remove();
      this.frame = null;
      for (const answer of this.waiting.values()) answer({ error: { type: "validation_error", message: "unmounted" } });
      this.waiting.clear();
      return this;
    }

    destroy() {
      this.unmount();
      this.listeners.clear();
      this.elements.element = null;
    }

    on(name, listener) {
      this.listeners.set(name, [...(this.listeners.get(name) || []), listener]);
      return this;
    }

    off(name, listener) {
      const kept = (this.listeners.get(name) || []).filter((one) => listener && one !== listener);
      this.listeners.set(name, kept);
      return this;
    }

    once(name, listener) {
      const again = (event) => { this.off(name, again); listener(event); };
      return this.on(name, again);
    }

    emit(name, event) {
      for (const listener of this.listeners.get(name) || []) listener(event);
    }

    focus() { this.tell({ kind: "focus" }); }
    blur() { this.tell({ kind: "blur" }); }
    clear() { this.tell({ kind: "clear" }); }
    collapse() { /* One method only: there is nothing to fold. */ }

    update(options) {
      this.options = { ...this.options, ...options };
      this.tell(this.settings());
      return this;
    }

    settings() {
      const { mode, setupFutureUsage, appearance } = this.elements.options;
      return {
        kind: "settings",
        appearance: appearance || {},
        locale: this.elements.locale,
        fields: this.options.fields || {},
        defaultValues: this.options.defaultValues || {},
        readOnly: this.options.readOnly === true,
        terms: (this.options.terms || {}).card || "auto",
        keeps: mode === "setup" || setupFutureUsage != null,
      };
    }

    tell(message) {
      if (this.frame && this.frame.contentWindow) this.frame.contentWindow.postMessage(message, ORIGIN);
    }

    ask(message) {
      return this.ready.then(() => new Promise((resolve) => {
        const question = (this.questions += 1);
        this.waiting.set(question, resolve);
        this.tell({ ...message, question });
      }));
    }

    onMessage(event) {
      if (event.origin !== ORIGIN || !this.frame || event.source !== this.frame.contentWindow) return;
      const message = event.data;
      if (message.kind === "hello") {
        this.greeted = true;
        this.tell(this.settings());
      } else if (message.kind === "ready") {
        this.nowReady();
        this.emit("ready", { elementType: "payment" });
      } else if (message.kind === "height") {
        this.frame.style.height = `${Math.ceil(message.height)}px`;
      } else if (message.kind === "answer") {
        const answer = this.waiting.get(message.question);
        this.waiting.delete(message.question);
        if (answer) answer(message.answer);
      } else if (message.kind === "change") {
        this.elements.submitted = false;
        this.emit("change", { elementType: "payment", collapsed: false, value: { type: "card" }, ...message.state });
      } else if (["focus", "blur", "escape"].includes(message.kind)) {
        this.emit(message.kind, { elementType: "payment" });
      }
    }
  }

  class Elements {
    constructor(stripe, options) {
      checkElementsOptions(options);
      this.stripe = stripe;
      this.options = { ...options };
      this.element = null;
      this.submitted = false;
    }

    get locale() {
      return this.options.locale || this.stripe.locale || "auto";
    }

    create(type, options = {}) {
      check(type === "payment", `A valid Element name must be provided. You specified: ${type}.`);
      check(this.element === null, "Can only create one Element of type payment.");
      this.element = new PaymentElement(this, options);
      return this.element;
    }

    getElement(type) {
      return type === "payment" ? this.element : null;
    }

    update(options) {
      const merged = { ...this.options, ...options };
      checkElementsOptions(merged);
      this.options = merged;
      if (this.element) this.element.tell(this.element.settings());
    }

    async submit() {
      check(this.element && this.element.frame, "elements.submit() needs a mounted payment Element.");
      const answer = await this.element.ask({ kind: "submit" });
      this.submitted = !answer.error;
      return answer.error ? { error: answer.error } : { selectedPaymentMethod: "card" };
    }

    async fetchUpdates() {
      return {};
    }
  }

  // The buyer's details that the Element was told not to ask for have to come from the page.
  function checkDetails(element, details) {
    const billing = (element.options.fields || {}).billingDetails;
    if (!billing) return;
    for (const name of ["name", "email", "phone"]) {
      if (billing === "never" || billing[name] === "never") {
        check(details[name] !== undefined,
          `You specified "never" for fields.billing_details.${name} when creating the payment Element, but did not ` +
          `pass params.payment_method_data.billing_details.${name} when calling stripe.createConfirmationToken().`);
      }
    }
  }

  class StripeStandIn {
    constructor(key, options) {
      check(typeof key === "string" && key !== "",
        "Please call Stripe() with your publishable key. You used an empty string.");
      check(!key.startsWith("sk_"),
        "You should not use your secret key with Stripe.js. Please pass a publishable key instead.");
      this.key = key;
      this.account = options.stripeAccount || null;
      this.locale = options.locale || "auto";
    }

    elements(options = {}) {
      return new Elements(this, options);
    }

    async createConfirmationToken({ elements, params = {} } = {}) {
      check(elements instanceof Elements, "stripe.createConfirmationToken() needs elements.");
      check(elements.element && elements.element.frame, "stripe.createConfirmationToken() needs a mounted payment Element.");
      check(elements.submitted,
        "elements.submit() must be called before stripe.createConfirmationToken(), and has to succeed.");
      const given = (params.payment_method_data || {}).billing_details || {};
      checkDetails(elements.element, given);
      elements.submitted = false;
      const answer = await elements.element.ask({
        kind: "token",
        key: this.key,
        account: this.account,
        elements: { mode: elements.options.mode, setup_future_usage: elements.options.setupFutureUsage || null },
        billing_details: given,
        return_url: params.return_url || null,
        shipping: params.shipping || null,
      });
      return answer.error ? { error: answer.error } : { confirmationToken: answer.confirmationToken };
    }

    async retrieve(clientSecret) {
      const [, id, kind] = /^((pi|seti)_[A-Za-z0-9]+)_secret_/.exec(clientSecret || "") || [];
      check(id, `Invalid value for clientSecret: value should be a client secret of the form \${id}_secret_\${secret}.`);
      const query = new URLSearchParams({ key: this.key, client_secret: clientSecret });
      if (this.account) query.set("_stripe_account", this.account);
      const place = kind === "pi" ? "payment_intents" : "setup_intents";
      try {
        const answer = await fetch(`${ORIGIN}/v1/${place}/${id}?${query}`);
        const body = await answer.json();
        return body.error ? { error: body.error } : { intent: body, name: kind === "pi" ? "paymentIntent" : "setupIntent" };
      } catch (error) {
        return { error: { type: "api_connection_error", message: String(error) } };
      }
    }

    async retrievePaymentIntent(clientSecret) {
      const { error, intent } = await this.retrieve(clientSecret);
      return error ? { error } : { paymentIntent: intent };
    }

    async retrieveSetupIntent(clientSecret) {
      const { error, intent } = await this.retrieve(clientSecret);
      return error ? { error } : { setupIntent: intent };
    }

    async handleNextAction({ clientSecret } = {}) {
      const before = await this.retrieve(clientSecret);
      if (before.error) return { error: before.error };
      const action = before.intent.next_action;
      if (before.intent.status !== "requires_action" || !action) {
        const noun = before.name === "paymentIntent" ? "PaymentIntent" : "SetupIntent";
        return { error: {
          type: "invalid_request_error",
          message: `handleNextAction: The ${noun} supplied is not in the requires_action state.`,
          [before.intent.object]: before.intent,
        } };
      }
      if (action.type === "redirect_to_url") {
        location.assign(action.redirect_to_url.url);
        return new Promise(() => {});
      }
      await challenge(action.use_stripe_sdk.stripe_js);
      const { error, intent, name } = await this.retrieve(clientSecret);
      if (error) return { error };
      const failure = intent.last_payment_error || intent.last_setup_error;
      if (intent.status === "requires_payment_method" || intent.status === "canceled") {
        return { error: { ...failure, [intent.object]: intent } };
      }
      return { [name]: intent };
    }
  }

  // The challenge covers the page until the buyer completes, fails or closes it.
  function challenge(address) {
    return new Promise((resolve) => {
      const before = document.activeElement;
      const frame = document.createElement("iframe");
      frame.title = "3D Secure authentication";
      frame.name = `__stripeJSChallengeFrame${(frames += 1)}`;
      Object.assign(frame.style, {
        position: "fixed", inset: "0", width: "100%", height: "100%", border: "0", margin: "0", padding: "0",
        zIndex: "2147483647", colorScheme: "normal", background: "transparent",
      });
      const scroll = document.documentElement.style.overflow;
      const listen = (event) => {
        if (event.origin !== ORIGIN || event.source !== frame.contentWindow || event.data.kind !== "challenge_over") return;
        window.removeEventListener("message", listen);
        document.documentElement.style.overflow = scroll;
        frame.remove();
        if (before instanceof HTMLElement) before.focus();
        resolve();
      };
      window.addEventListener("message", listen);
      frame.addEventListener("load", () => frame.focus());
      document.documentElement.style.overflow = "hidden";
      frame.src = `${address}&parent=${encodeURIComponent(location.origin)}`;
      document.body.append(frame);
    });
  }

  window.Stripe = (key, options = {}) => new StripeStandIn(key, options);
  window.Stripe.version = "sandbox";
})();
