// numbers.js - small arithmetic, and numbers as text.

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The Euclidean norm. */
export function norm(values) {
  let sum = 0;
  for (const v of values) sum += v * v;
  return Math.sqrt(sum);
}

/** The root mean square. */
export const rms = (values) => norm(values) / Math.sqrt(values.length);

/** The largest absolute value. */
export const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** Columns of `rows`, [[key, ...values], ...] by growing key, linear in scale(key) between two rows. */
export function interpolate(rows, key, scale = (v) => v) {
  let k = 1;
  while (k < rows.length - 1 && rows[k][0] < key) k++;
  const [[before, ...from], [after, ...to]] = [rows[k - 1], rows[k]];
  const share = clamp((scale(key) - scale(before)) / (scale(after) - scale(before)), 0, 1);
  return from.map((value, i) => value + share * (to[i] - value));
}

/** A point a share of the way from `a` to `b`. */
export const between = (a, b, share) => a.map((v, axis) => v + share * (b[axis] - v));

/** With a true minus sign, and none before a nought: never "−0.0". */
export const minus = (text) => String(text).replace(/^-(?=[0.]*$)/, "").replace("-", "−");

/** With two decimals; never "-0.00". */
export function signed(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) ? `−${text}` : text;
}

/** With a comma between thousands. */
export const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/** A share as per cent: "98 %", with one decimal if `digits` is 1; never 0 or 100 unless exactly so. */
export function percent(share, digits = 0) {
  const step = 10 ** -digits;
  const value = 100 * share;
  if (share > 0 && value < step / 2) return `< ${step} %`;
  if (share < 1 && value > 100 - step / 2) return `> ${100 - step} %`;
  return `${value.toFixed(digits)} %`;
}

/** A power of ten: "10⁻⁵". */
export const powerOfTen = (power) => `10${[...String(power)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("")}`;

/** A number with three significant digits, with powers of ten for small ones: "3.1 × 10⁻⁵". */
export function figure(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 0.001 && size < 1000)) return minus(value.toPrecision(3));
  const [digits, power] = value.toExponential(1).split("e");
  return `${minus(digits)} × ${powerOfTen(Number(power))}`;
}
