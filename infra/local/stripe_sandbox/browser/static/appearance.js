// https://docs.stripe.com/elements/appearance-api: variables and rules, set through the CSSOM so that no text is parsed as CSS.
const VARIABLES = new Set([
  "colorPrimary", "colorBackground", "colorText", "colorTextSecondary", "colorTextPlaceholder", "colorDanger",
  "fontFamily", "fontSizeBase", "borderRadius", "spacingUnit",
]);
const SELECTOR = /^\.(Input|Label|Error)(--invalid)?(:(focus|hover|disabled|autofill)|::placeholder)?$/;
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [sheet];

const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export function applyAppearance(appearance) {
  const root = document.documentElement.style;
  const variables = appearance.variables || {};
  for (const name of VARIABLES) {
    if (variables[name] === undefined) root.removeProperty(`--${name}`);
    else root.setProperty(`--${name}`, variables[name]);
  }
  root.setProperty("color-scheme", isDark(variables.colorBackground) ? "dark" : "light");
  while (sheet.cssRules.length) sheet.deleteRule(0);
  for (const [selector, declarations] of Object.entries(appearance.rules || {})) {
    if (!SELECTOR.test(selector)) continue;
    const rule = sheet.cssRules[sheet.insertRule(`${selector} {}`, sheet.cssRules.length)];
    for (const [name, value] of Object.entries(declarations)) rule.style.setProperty(kebab(name), String(value));
  }
}

// Menus and scroll bars follow the background the merchant chose.
function isDark(color) {
  if (!color) return false;
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return red * 0.299 + green * 0.587 + blue * 0.114 < 128;
}
