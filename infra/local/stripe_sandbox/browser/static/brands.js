// Card brands by their first digits, how their numbers are grouped, and their small marks.
const BRANDS = [
  { name: "visa", starts: /^4/, lengths: [16], groups: [4, 4, 4, 4], cvc: 3 },
  { name: "mastercard", starts: /^(5[1-5]|2[2-7])/, lengths: [16], groups: [4, 4, 4, 4], cvc: 3 },
  { name: "amex", starts: /^3[47]/, lengths: [15], groups: [4, 6, 5], cvc: 4 },
  { name: "discover", starts: /^(6011|65|64[4-9])/, lengths: [16], groups: [4, 4, 4, 4], cvc: 3 },
  { name: "diners", starts: /^3(0[0-5]|[68])/, lengths: [14, 16], groups: [4, 4, 4, 4], cvc: 3 },
  { name: "jcb", starts: /^35/, lengths: [16], groups: [4, 4, 4, 4], cvc: 3 },
  { name: "unionpay", starts: /^62/, lengths: [16, 19], groups: [4, 4, 4, 4, 3], cvc: 3 },
];
const UNKNOWN = { name: null, lengths: [16], groups: [4, 4, 4, 4], cvc: 3 };

const find = (typed) => BRANDS.find((brand) => brand.starts.test(typed)) || UNKNOWN;

export const brandOf = (typed) => find(typed).name;
export const cvcLength = (typed) => find(typed).cvc;
export const numberComplete = (typed) => find(typed).lengths.includes(typed.length);

export function formatNumber(text) {
  const brand = find(text.replace(/\D/g, ""));
  let rest = text.replace(/\D/g, "").slice(0, Math.max(...brand.lengths));
  const parts = [];
  for (const size of brand.groups) {
    if (!rest) break;
    parts.push(rest.slice(0, size));
    rest = rest.slice(size);
  }
  return parts.join(" ");
}

export function passesLuhn(typed) {
  const sum = [...typed].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

const SVG = "http://www.w3.org/2000/svg";

function mark(background, shapes) {
  const picture = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 30 20", width: "30", height: "20" })) picture.setAttribute(name, value);
  for (const [name, attributes, text] of [["rect", { width: 30, height: 20, rx: 3, fill: background }], ...shapes]) {
    const shape = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, String(value));
    if (text) shape.textContent = text;
    picture.append(shape);
  }
  return picture;
}

const label = (text, fill, size, more = {}) => [
  "text",
  { x: 15, y: 13.6, "text-anchor": "middle", "font-family": "Arial, Helvetica, sans-serif", "font-weight": 700, "font-size": size, fill, ...more },
  text,
];

const MARKS = {
  visa: () => mark("#1a1f71", [label("VISA", "#ffffff", 9.5, { "font-style": "italic" })]),
  mastercard: () => mark("#252525", [
    ["circle", { cx: 12, cy: 10, r: 5.6, fill: "#eb001b" }],
    ["circle", { cx: 18, cy: 10, r: 5.6, fill: "#f79e1b" }],
    ["path", { d: "M15 5.27a5.6 5.6 0 0 1 0 9.46a5.6 5.6 0 0 1 0-9.46z", fill: "#ff5f00" }],
  ]),
  amex: () => mark("#0077a6", [label("AMEX", "#ffffff", 8)]),
  discover: () => mark("#f1f2f4", [["circle", { cx: 21, cy: 10, r: 4, fill: "#f27712" }], label("DISC", "#30313d", 6.5, { x: 10 })]),
  diners: () => mark("#0165ac", [["circle", { cx: 15, cy: 10, r: 6, fill: "#ffffff" }], ["path", { d: "M13 6.2v7.6M17 6.2v7.6", stroke: "#0165ac", "stroke-width": 1.6 }]]),
  jcb: () => mark("#0f549d", [label("JCB", "#ffffff", 9)]),
  unionpay: () => mark("#00508e", [label("UP", "#ffffff", 9)]),
};

export const brandMarks = (brand) => (brand ? [brand] : ["visa", "mastercard", "amex"]).map((name) => MARKS[name]());
