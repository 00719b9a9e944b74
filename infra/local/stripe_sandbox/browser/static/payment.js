// The Payment Element's frame: fields, their formatting and checks, and the one call that carries card data.
import { COUNTRIES, words } from "/elements/messages.js";
import { brandOf, brandMarks, cvcLength, formatNumber, numberComplete, passesLuhn } from "/elements/brands.js";
import { applyAppearance } from "/elements/appearance.js";

const facts = document.documentElement.dataset;
const form = document.forms[0];
const { number, expiry, cvc, country, postalCode } = form.elements;
const inputs = [number, expiry, cvc, postalCode];
const touched = new Set();
const today = new Date(Number(facts.now) * 1000);
let say = words("en");
let asksAddress = true;
let ready = false;
let last = "";

const tell = (message) => window.parent.postMessage(message, facts.parent);
const digits = (text) => text.replace(/\D/g, "");

// Each check answers null or [code, sentence]; `incomplete_…` ones wait until the field is left.
const checks = {
  number() {
    const typed = digits(number.value);
    if (!numberComplete(typed)) return ["incomplete_number", say.incomplete_number];
    return passesLuhn(typed) ? null : ["invalid_number", say.invalid_number];
  },
  expiry() {
    const typed = digits(expiry.value);
    if (typed.length < 4) return ["incomplete_expiry", say.incomplete_expiry];
    const { month, year } = expiryParts();
    if (month < 1 || month > 12) return ["invalid_expiry_month", say.invalid_expiry_month];
    if (year < today.getUTCFullYear()) return ["invalid_expiry_year_past", say.invalid_expiry_year_past];
    if (year > today.getUTCFullYear() + 50) return ["invalid_expiry_year", say.invalid_expiry_year];
    const past = year === today.getUTCFullYear() && month < today.getUTCMonth() + 1;
    return past ? ["invalid_expiry_month_past", say.invalid_expiry_month_past] : null;
  },
  cvc() {
    return digits(cvc.value).length < cvcLength(digits(number.value)) ? ["incomplete_cvc", say.incomplete_cvc] : null;
  },
  postalCode() {
    if (!asksAddress) return null;
    const typed = postalCode.value.trim();
    const complete = country.value === "US" ? /^\d{5}(-?\d{4})?$/.test(typed) : typed.length > 2;
    return complete ? null : ["incomplete_zip", country.value === "US" ? say.incomplete_zip : say.incomplete_postal];
  },
};

function expiryParts() {
  const typed = digits(expiry.value);
  const year = Number(typed.slice(2));
  return { month: Number(typed.slice(0, 2)), year: typed.length > 4 ? year : 2000 + year };
}

function show(input, fault) {
  const place = document.getElementById(`${input.name}-error`);
  const text = fault ? fault[1] : "";
  if (place.textContent !== text) place.textContent = text;
  input.classList.toggle("Input--invalid", Boolean(fault));
  if (fault) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function review(input) {
  const fault = checks[input.name]();
  const early = fault && fault[0].startsWith("incomplete") && !touched.has(input);
  show(input, early ? null : fault);
}

function announce() {
  const complete = inputs.every((input) => checks[input.name]() === null);
  const empty = inputs.every((input) => input.value === "");
  const state = JSON.stringify({ complete, empty });
  if (state !== last) tell({ kind: "change", state: JSON.parse(state) });
  last = state;
}

// Keep the caret after the same digit when spaces come and go.
function rewrite(input, format) {
  const before = digits(input.value.slice(0, input.selectionStart)).length;
  const formatted = format(input.value);
  if (formatted === input.value) return;
  input.value = formatted;
  let place = 0;
  for (let seen = 0; place < formatted.length && seen < before; place += 1) if (/\d/.test(formatted[place])) seen += 1;
  if (place >= digits(formatted).length && before >= digits(formatted).length) place = formatted.length;
  input.setSelectionRange(place, place);
}

function formatExpiry(text) {
  let typed = digits(text).slice(0, 6);
  if (/^[2-9]/.test(typed)) typed = `0${typed}`;
  if (/^\d\s*\//.test(text) && typed.length === 1) typed = `0${typed}`;
  // Autofill may bring four-digit years; the field shows two.
  if (typed.length === 6) typed = typed.slice(0, 2) + typed.slice(4);
  else typed = typed.slice(0, 4);
  return typed.length > 2 ? `${typed.slice(0, 2)} / ${typed.slice(2)}` : typed;
}

function onInput(event) {
  const input = event.target;
  if (input === number) {
    rewrite(number, formatNumber);
    showBrand();
  } else if (input === expiry) {
    const deleting = event.inputType && event.inputType.startsWith("delete");
    if (!deleting) {
      rewrite(expiry, formatExpiry);
      if (digits(expiry.value).length === 2 && event.inputType === "insertText") expiry.value += " / ";
    }
  } else if (input === cvc) {
    rewrite(cvc, (text) => digits(text).slice(0, cvcLength(digits(number.value))));
  }
  if (inputs.includes(input)) review(input);
  announce();
  if (event.inputType === "insertText") moveOn(input);
}

// As in Stripe's Element, a finished field hands the focus on.
function moveOn(input) {
  if (input.value === "" || checks[input.name]() !== null) return;
  if (input === number) expiry.focus();
  else if (input === expiry) cvc.focus();
}

function showBrand() {
  const brand = brandOf(digits(number.value));
  const place = document.querySelector(".Brands");
  if (place.dataset.brand === (brand || "all")) return;
  place.dataset.brand = brand || "all";
  place.replaceChildren(...brandMarks(brand));
  number.classList.toggle("Input--known", Boolean(brand));
}

function showPostal() {
  const american = country.value === "US";
  document.querySelector("[data-word=postal]").textContent = american ? say.zip : say.postal;
  postalCode.placeholder = american ? "12345" : "";
  postalCode.inputMode = american ? "numeric" : "text";
}

function applySettings(settings) {
  const language = settings.locale === "auto" ? navigator.language : settings.locale;
  say = words(language);
  document.documentElement.lang = say.lang;
  document.documentElement.dir = "ltr";
  applyAppearance(settings.appearance);
  for (const name of ["number", "expiry", "cvc", "country"]) {
    document.querySelector(`[data-word=${name}]`).textContent = say[name];
  }
  const names = new Intl.DisplayNames([say.lang], { type: "region" });
  const chosen = country.value || facts.country;
  const sorted = COUNTRIES.map((code) => [code, names.of(code)]).sort((a, b) => a[1].localeCompare(b[1], say.lang));
  country.replaceChildren(...sorted.map(([code, name]) => new Option(name, code, code === chosen, code === chosen)));
  const billing = settings.fields.billingDetails;
  asksAddress = !(billing === "never" || (billing && billing.address === "never"));
  document.querySelector(".Field--country").hidden = !asksAddress;
  document.querySelector(".Field--postal").hidden = !asksAddress;
  const terms = document.querySelector(".Terms");
  terms.hidden = !(settings.terms === "always" || (settings.terms === "auto" && settings.keeps));
  terms.textContent = say.terms.replace("{business}", facts.business);
  for (const input of inputs) input.readOnly = settings.readOnly;
  country.disabled = settings.readOnly;
  showBrand();
  showPostal();
}

function submit() {
  let first = null;
  for (const input of inputs) {
    touched.add(input);
    const fault = checks[input.name]();
    show(input, fault);
    if (fault && !first) first = [input, fault];
  }
  if (!first) return {};
  first[0].focus();
  return { error: { type: "validation_error", code: first[1][0], message: first[1][1] } };
}

async function makeToken(message) {
  const { month, year } = expiryParts();
  const address = asksAddress ? { country: country.value, postal_code: postalCode.value.trim() } : {};
  const details = message.billing_details || {};
  try {
    const answer = await fetch("/elements/confirmation_tokens", {
      method: "POST",
      body: JSON.stringify({
        key: message.key,
        account: message.account,
        elements: message.elements,
        return_url: message.return_url,
        shipping: message.shipping,
        billing_details: { ...details, address: { ...address, ...(details.address || {}) } },
        card: { number: digits(number.value), exp_month: month, exp_year: year, cvc: digits(cvc.value) },
      }),
    });
    const body = await answer.json();
    if (!body.error) return { confirmationToken: body };
    const field = { number, exp_month: expiry, exp_year: expiry, cvc }[body.error.param];
    if (field) show(field, [body.error.code, body.error.message]);
    return { error: body.error };
  } catch (error) {
    return { error: { type: "api_connection_error", message: String(error) } };
  }
}

window.addEventListener("message", async (event) => {
  if (event.origin !== facts.parent || event.source !== window.parent) return;
  const message = event.data;
  if (message.kind === "settings") {
    applySettings(message);
    if (!ready) {
      ready = true;
      tell({ kind: "height", height: document.body.getBoundingClientRect().height });
      tell({ kind: "ready" });
    }
  } else if (message.kind === "focus") {
    number.focus();
  } else if (message.kind === "blur") {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  } else if (message.kind === "clear") {
    form.reset();
    touched.clear();
    for (const input of inputs) show(input, null);
    showBrand();
    announce();
  } else if (message.kind === "submit") {
    tell({ kind: "answer", question: message.question, answer: submit() });
  } else if (message.kind === "token") {
    tell({ kind: "answer", question: message.question, answer: await makeToken(message) });
  }
});

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", onInput);
country.addEventListener("change", () => { showPostal(); if (touched.has(postalCode)) review(postalCode); announce(); });
for (const input of inputs) {
  input.addEventListener("focus", () => tell({ kind: "focus" }));
  input.addEventListener("blur", () => {
    if (input.value !== "") touched.add(input);
    if (input.value !== "" || touched.has(input)) review(input);
    tell({ kind: "blur" });
  });
  input.addEventListener("keydown", (event) => { if (event.key === "Escape") tell({ kind: "escape" }); });
}
new ResizeObserver(() => tell({ kind: "height", height: document.body.getBoundingClientRect().height })).observe(document.body);
tell({ kind: "hello" });
