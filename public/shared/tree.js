// @ts-check
// The tree of a story, drawn as SVG: from left to right, a node for each branch.

import { branchTitle, focusStop, keepStop, walk } from './branches.js';
import { make } from './dom.js';
import { count } from './numbers.js';

const SVG = 'http://www.w3.org/2000/svg';
const COL_PX = 26;
const WIDEST_COL_PX = 52;
const LANE_PX = 20;
/** So many branches are drawn: more would be dots without end. */
export const MOST_DRAWN = 150;

/**
 * Which forks are drawn: those of the text that is shown, from its end back, then what branches off from them.
 *
 * @param {Page.Fork[]} forks
 * @param {number} most Branches.
 * @returns {Page.Fork[]} the one that stands first in the tree first
 */
const drawn = (forks, most) => {
  const byPlace = new Map(forks.map((fork) => [fork.at, fork]));
  let room = most;
  const fits = (/** @type {Page.Fork} */ fork) => {
    room -= fork.branches.length;
    return room >= 0;
  };
  const onPath = forks.filter((fork) => fork.on_path).reverse();
  const end = onPath.findIndex((fork, at) => !fits(fork) && at > 0);
  const chosen = (end < 0 ? onPath : onPath.slice(0, end)).reverse();
  if (!chosen.length) chosen.push(...forks.slice(0, 1));
  for (let at = 0; at < chosen.length && room > 0; at++)
    for (const { fork } of chosen[at].branches) {
      const next = fork === null ? undefined : byPlace.get(fork);
      if (next && !chosen.includes(next) && fits(next)) chosen.push(next);
    }
  return chosen;
};

/**
 * @typedef {{col: number, lane: number}} Place
 * @typedef {Place & {branch: Page.Branch, from: Place, more: boolean}} TreeNode more: it forks on, which is not drawn.
 */

/**
 * The tree as it is drawn, from left to right: a node for each branch, at the place where it ends or forks on, and a
 * line to it from the fork. What is read on stays in its lane, the branches beside it lie below, and no lines cross.
 *
 * @param {Page.Fork[]} forks
 * @param {number} [most] Branches that are drawn.
 * @returns {{nodes: TreeNode[], cols: number, lanes: number, left: number}} left: branches that are not drawn
 */
export const arranged = (forks, most = MOST_DRAWN) => {
  const chosen = drawn(forks, most);
  const byPlace = new Map(chosen.map((fork) => [fork.at, fork]));
  /**
   * @param {Page.Fork} fork
   * @returns {{nodes: TreeNode[], tops: number[]}} from (0, 0) on; tops: the last lane that is taken in each column
   */
  const lay = (fork) => {
    const straight = fork.branches.find((each) => each.shown) || fork.branches.find((each) => each.fork !== null);
    const first = straight || fork.branches[0];
    /** @type {number[]} */
    const tops = [];
    /** @type {TreeNode[]} */
    const nodes = [];
    for (const branch of [first, ...fork.branches.filter((each) => each !== first)]) {
      const next = branch.fork === null ? undefined : byPlace.get(branch.fork);
      const inside = next ? lay(next) : { nodes: [], tops: [] };
      const taken = [0, ...inside.tops];
      const lane = branch === first ? 0 : 1 + Math.max(...taken.map((_, at) => tops[at] ?? 0));
      taken.forEach((top, at) => {
        tops[at] = Math.max(tops[at] ?? 0, lane + top);
      });
      nodes.push({ branch, col: 1, lane, from: { col: 0, lane: 0 }, more: branch.fork !== null && !next });
      for (const each of inside.nodes)
        nodes.push({
          ...each,
          col: each.col + 1,
          lane: each.lane + lane,
          from: { col: each.from.col + 1, lane: each.from.lane + lane },
        });
    }
    return { nodes, tops };
  };
  const { nodes, tops } = chosen.length ? lay(chosen[0]) : { nodes: [], tops: [] };
  const all = forks.reduce((sum, fork) => sum + fork.branches.length, 0);
  return { nodes, cols: tops.length + 1, lanes: Math.max(0, ...tops) + 1, left: all - nodes.length };
};

/**
 * @param {Element} parent
 * @param {string} tag
 * @param {Record<string, string | number | boolean>} attributes
 * @param {string} [text]
 */
const add = (parent, tag, attributes, text) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
};

const y = (/** @type {number} */ lane) => (lane + 0.5) * LANE_PX;

/** @typedef {(col: number) => number} Across */

const line = (/** @type {TreeNode} */ { from, col, lane }, /** @type {Across} */ x) => {
  const [x0, y0, x1, y1] = [x(from.col), y(from.lane), x(col), y(lane)];
  const bend = x0 + COL_PX * 0.55; // where the next column may begin
  return `M${x0} ${y0}C${bend} ${y0} ${x0} ${y1} ${bend} ${y1}L${x1} ${y1}`;
};

/**
 * @typedef {object} Does
 * @property {(branch: Page.Branch) => void} show
 * @property {boolean} busy Nothing can be shown now.
 * @property {number} now In seconds since 1970.
 *
 * @param {Element} svg
 * @param {TreeNode} node
 * @param {Across} x
 * @param {boolean} tip Whether what is shown ends there.
 * @param {Does} does
 */
const drawNode = (svg, { branch, col, lane, more }, x, tip, { show, busy, now }) => {
  const about = `${branchTitle(branch, now)}${more ? ' · forks on' : ''}`;
  const node = add(svg, 'g', {
    ...{ class: 'tree-node', role: 'button', tabindex: -1, 'aria-label': about, 'aria-disabled': busy },
    ...{ 'data-stop': '', 'data-shown': branch.shown, 'data-tip': tip, 'data-passage': branch.passage },
  });
  add(node, 'title', {}, about);
  add(node, 'circle', { class: 'tree-reach', cx: x(col), cy: y(lane), r: 10 });
  add(node, 'circle', { class: 'tree-dot', cx: x(col), cy: y(lane), r: tip ? 5.5 : 4 });
  if (busy) return;
  node.addEventListener('click', () => show(branch));
  node.addEventListener('keydown', (event) => {
    const { key } = /** @type {KeyboardEvent} */ (event);
    if (key !== 'Enter' && key !== ' ') return;
    event.preventDefault();
    show(branch);
  });
};

/**
 * Draw the tree into a box; what is shown is marked, and its end in sight.
 *
 * @param {HTMLElement} box
 * @param {Page.Branches} found
 * @param {Does} does
 */
export const drawTree = (box, found, does) => {
  const { nodes, cols, lanes, left } = arranged(found.forks);
  const all = nodes.length + left;
  const tip = nodes.filter((node) => node.branch.shown).pop();
  const focused = box.contains(document.activeElement) && document.activeElement?.getAttribute('data-passage');
  const frame = make('div', 'tree-box');
  const wide = Math.max(COL_PX, Math.min(WIDEST_COL_PX, Math.floor((box.clientWidth - 2) / cols)));
  const x = (/** @type {number} */ col) => (col + 0.5) * COL_PX + col * (wide - COL_PX);
  frame.dataset.arrows = '';
  frame.onkeydown = walk;
  const svg = add(frame, 'svg', {
    ...{ id: 'branch-tree', width: x(cols - 1) + COL_PX / 2, height: lanes * LANE_PX, role: 'group' },
    'aria-label': `The tree of the story: ${count(found.forks.length)} forks, ${count(all)} branches`,
  });
  for (const node of nodes) add(svg, 'path', { d: line(node, x), 'data-shown': node.branch.shown });
  const start = add(svg, 'circle', { class: 'tree-start', cx: x(0), cy: y(0), r: 3 });
  add(start, 'title', {}, left || found.left_out ? 'An earlier place of the story' : 'Where it forks first');
  for (const node of nodes) drawNode(svg, node, x, node === tip, does);
  box.replaceChildren(frame);
  const few = `${count(nodes.length)} branches of ${count(all)} are drawn: those nearest to the end of what is shown.`;
  if (left) box.append(make('figcaption', 'about', few));
  if (tip) frame.scrollTo(x(tip.col + 1) - frame.clientWidth, (tip.lane + 1) * LANE_PX - frame.clientHeight);
  keepStop(frame);
  if (focused) focusStop(frame, frame.querySelector(`[data-passage="${focused}"]`));
};
