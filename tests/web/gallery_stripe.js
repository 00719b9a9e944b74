// Stands in for Stripe.js in the gallery and in the page tests: a neutral card form of the right height, and answers
// that a test chooses through window.gallery. It draws in the page itself, since pictures need no frame.
(() => {
  const told = window.gallery || (window.gallery = {});
  window.Stripe = (key, options) => {
    told.stripe = { key, options };
    return {
      elements(given) {
        told.elements = given;
        return {
          update(change) { told.updated = change; draw(told.place, change.appearance); },
          async submit() { return told.submit || {}; },
          create(type, wanted) {
            told.element = { type, wanted };
            const on = {};
            return {
              on(name, fn) { on[name] = fn; },
              mount(selector) {
                told.place = document.querySelector(selector);
                draw(told.place, given.appearance);
                if (!told.never) requestAnimationFrame(() => on.ready && on.ready());
                told.ready = () => on.ready();
                told.fail = () => on.loaderror({});
              },
              focus() { told.place.querySelector("input").focus(); },
              destroy() { told.place.replaceChildren(); },
            };
          },
        };
      },
      async createConfirmationToken(given) {
        told.token = given.params;
        return told.tokenAnswer || { confirmationToken: { id: "ctoken_1" } };
      },
      async handleNextAction(given) { told.action = given; return told.actionAnswer || {}; },
    };
  };

  function draw(place, { variables, rules }) {
    const row = (...names) => {
      const line = document.createElement("div");
      line.style.cssText = "display:grid;gap:16px;margin-bottom:16px";
      line.style.gridTemplateColumns = names.map(() => "1fr").join(" ");
      for (const name of names) {
        const label = document.createElement("label");
        label.textContent = name;
        label.style.fontSize = rules[".Label"].fontSize;
        const input = document.createElement("input");
        input.style.cssText = `border:${rules[".Input"].border};color:${variables.colorText};background:${variables.colorBackground};min-height:44px;padding:9px 12px`;
        label.append(input);
        line.append(label);
      }
      return line;
    };
    place.replaceChildren(row("Card number"), row("Expiry date", "Security code"), row("Postal code"));
    place.style.minHeight = "262px";
  }
})();
