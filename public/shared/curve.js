// @ts-check
// How a model learnt, drawn as SVG: training and validation loss over its steps, the steps on a log scale.

const SVG = 'http://www.w3.org/2000/svg';
const PAD = { left: 44, right: 12, top: 10, bottom: 34 };

/** @typedef {(value: number) => number} Scale */

/**
 * @param {Element} parent
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
const add = (parent, tag, attributes, text) => {
  const node = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, String(value)));
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
};

/** A number of steps as an axis has it. */
export const short = (/** @type {number} */ n) => {
  if (n >= 1e6) return `${n / 1e6}M`;
  return n >= 1e4 ? `${n / 1e3}k` : String(n);
};

/** About four round values from low to high. */
export const roundSteps = (/** @type {number} */ low, /** @type {number} */ high) => {
  const raw = (high - low || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const each = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) || raw;
  const ticks = [];
  for (let at = Math.ceil(low / each) * each; at <= high + 1e-9; at += each) ticks.push(Number(at.toPrecision(6)));
  return ticks;
};

/** An SVG path through [step, loss] points. */
export const path = (/** @type {[number, number][]} */ points, /** @type {Scale} */ x, /** @type {Scale} */ y) =>
  points.map(([step, loss], at) => `${at ? 'L' : 'M'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join('');

/**
 * Where steps and losses lie in a picture.
 *
 * @param {Page.Curve} curve
 * @param {number[]} marks
 * @param {number} width
 * @param {number} height
 */
export const scales = (curve, marks, width, height) => {
  const all = [...curve.train, ...curve.valid];
  const last = Math.max(...all.map(([step]) => step), ...marks, 1);
  const losses = all.map(([, loss]) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const room = (high - low || 1) * 0.06;
  return {
    last,
    low,
    high,
    // log(1 + step), for the beginning, step 0, must have a place too.
    x: (/** @type {number} */ step) =>
      PAD.left + (Math.log1p(step) / Math.log1p(last)) * (width - PAD.left - PAD.right),
    y: (/** @type {number} */ loss) =>
      PAD.top + ((high + room - loss) / (high - low + 2 * room || 1)) * (height - PAD.top - PAD.bottom),
  };
};

/**
 * @param {Element} svg
 * @param {ReturnType<typeof scales>} scale
 * @param {number} width
 * @param {number} height
 */
const drawGrid = (svg, { last, low, high, x, y }, width, height) => {
  const bottom = height - PAD.bottom;
  const right = width - PAD.right;
  roundSteps(low, high).forEach((loss) => {
    add(svg, 'line', { class: 'grid', x1: PAD.left, x2: right, y1: y(loss), y2: y(loss) });
    add(svg, 'text', { x: PAD.left - 6, y: y(loss) + 4, 'text-anchor': 'end' }, String(loss));
  });
  for (let step = 0; step <= last; step = step ? step * 10 : 1) {
    add(svg, 'line', { class: 'grid', x1: x(step), x2: x(step), y1: PAD.top, y2: bottom });
    add(svg, 'text', { x: x(step), y: bottom + 14, 'text-anchor': 'middle' }, short(step));
  }
  const steps = 'training steps, each mark ten times the one before';
  add(svg, 'text', { class: 'axis', x: right, y: height - 4, 'text-anchor': 'end' }, steps);
  const turned = `translate(11 ${bottom}) rotate(-90)`;
  add(svg, 'text', { class: 'axis', transform: turned }, 'loss: how surprised it is');
};

/**
 * Draw a curve into a box, whatever it held before.
 *
 * @param {Element} box
 * @param {object} what
 * @param {Page.Curve} what.curve
 * @param {number[]} [what.marks] Steps that can be picked.
 * @param {number | null} [what.at] The chosen one.
 * @param {((step: number) => void) | null} [what.pick] A click, with the nearest mark; left out, nothing can be picked.
 */
export const drawCurve = (box, { curve, marks = [], at = null, pick = null }) => {
  box.replaceChildren();
  if (!curve.train.length && !curve.valid.length) return;
  const width = Math.max(300, Math.min(700, Math.round(box.clientWidth) || 640));
  const height = width < 480 ? 210 : 250;
  const bottom = height - PAD.bottom;
  const scale = scales(curve, marks, width, height);
  const { last, low, high, x, y } = scale;
  const svg = add(box, 'svg', {
    class: 'curve',
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-label': `Loss from step 0 to ${last}: from ${high.toFixed(2)} down to ${low.toFixed(2)}`,
  });
  drawGrid(svg, scale, width, height);
  add(svg, 'path', { class: 'train', d: path(curve.train, x, y) });
  add(svg, 'path', { class: 'valid', d: path(curve.valid, x, y) });
  if (curve.valid.length < 60)
    curve.valid.forEach(([step, loss]) => add(svg, 'circle', { class: 'valid-dot', cx: x(step), cy: y(loss), r: 2.6 }));
  marks.forEach((step) => add(svg, 'line', { class: 'mark', x1: x(step), x2: x(step), y1: bottom - 7, y2: bottom }));
  if (at !== null) {
    add(svg, 'line', { class: 'cursor', 'data-step': at, x1: x(at), x2: x(at), y1: PAD.top, y2: bottom });
    const measured = curve.valid.find(([step]) => step === at);
    if (measured) add(svg, 'circle', { class: 'cursor-dot', cx: x(at), cy: y(measured[1]), r: 5 });
  }
  if (!pick) return;
  svg.classList.add('to-pick');
  svg.addEventListener('click', (/** @type {any} */ event) => {
    const { left, width: drawn } = svg.getBoundingClientRect();
    const place = ((event.clientX - left) / drawn) * width;
    pick(marks.reduce((best, step) => (Math.abs(x(step) - place) < Math.abs(x(best) - place) ? step : best)));
  });
};
