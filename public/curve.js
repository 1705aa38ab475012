// How a model learnt, drawn as SVG: training and validation loss over its steps, the steps on a log scale.
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const PAD = { left: 44, right: 12, top: 10, bottom: 34 };

  const add = (parent, tag, attributes, text) => {
    const node = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };

  const short = (n) => (n >= 1e6 ? `${n / 1e6}M` : n >= 1e4 ? `${n / 1e3}k` : String(n));

  const roundSteps = (low, high) => {
    const raw = (high - low || 1) / 4;
    const power = 10 ** Math.floor(Math.log10(raw));
    const each = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
    const ticks = [];
    for (let at = Math.ceil(low / each) * each; at <= high + 1e-9; at += each) ticks.push(Number(at.toPrecision(6)));
    return ticks;
  };

  const path = (points, x, y) =>
    points.map(([step, loss], at) => `${at ? 'L' : 'M'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join('');

  // box: emptied and drawn into. curve: {train, valid}, lists of [step, loss]. marks: steps that can be picked. at: the
  // chosen one. pick(step): a click, with the nearest mark; left out, nothing can be picked.
  const drawCurve = (box, { curve, marks = [], at = null, pick = null }) => {
    const all = [...curve.train, ...curve.valid];
    box.replaceChildren();
    if (!all.length) return;
    const width = Math.max(300, Math.min(700, Math.round(box.clientWidth) || 640));
    const height = width < 480 ? 210 : 250;
    const last = Math.max(...all.map(([step]) => step), ...marks, 1);
    const losses = all.map(([, loss]) => loss);
    const low = Math.min(...losses);
    const high = Math.max(...losses);
    const room = (high - low || 1) * 0.06;
    // log(1 + step), for the beginning, step 0, must have a place too.
    const x = (step) => PAD.left + (Math.log1p(step) / Math.log1p(last)) * (width - PAD.left - PAD.right);
    const y = (loss) =>
      PAD.top + ((high + room - loss) / (high - low + 2 * room || 1)) * (height - PAD.top - PAD.bottom);
    const svg = add(box, 'svg', {
      class: 'curve',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `Loss from step 0 to ${last}: from ${high.toFixed(2)} down to ${low.toFixed(2)}`,
    });
    roundSteps(low, high).forEach((loss) => {
      add(svg, 'line', { class: 'grid', x1: PAD.left, x2: width - PAD.right, y1: y(loss), y2: y(loss) });
      add(svg, 'text', { x: PAD.left - 6, y: y(loss) + 4, 'text-anchor': 'end' }, String(loss));
    });
    for (let step = 0; step <= last; step = step ? step * 10 : 1) {
      add(svg, 'line', { class: 'grid', x1: x(step), x2: x(step), y1: PAD.top, y2: height - PAD.bottom });
      add(svg, 'text', { x: x(step), y: height - PAD.bottom + 14, 'text-anchor': 'middle' }, short(step));
    }
    add(
      svg,
      'text',
      { class: 'axis', x: width - PAD.right, y: height - 4, 'text-anchor': 'end' },
      'training steps, each mark ten times the one before',
    );
    add(
      svg,
      'text',
      { class: 'axis', transform: `translate(11 ${height - PAD.bottom}) rotate(-90)` },
      'loss: how surprised it is',
    );
    add(svg, 'path', { class: 'train', d: path(curve.train, x, y) });
    add(svg, 'path', { class: 'valid', d: path(curve.valid, x, y) });
    if (curve.valid.length < 60)
      curve.valid.forEach(([step, loss]) =>
        add(svg, 'circle', { class: 'valid-dot', cx: x(step), cy: y(loss), r: 2.6 }),
      );
    marks.forEach((step) =>
      add(svg, 'line', {
        class: 'mark',
        x1: x(step),
        x2: x(step),
        y1: height - PAD.bottom - 7,
        y2: height - PAD.bottom,
      }),
    );
    if (at !== null) {
      add(svg, 'line', {
        class: 'cursor',
        'data-step': at,
        x1: x(at),
        x2: x(at),
        y1: PAD.top,
        y2: height - PAD.bottom,
      });
      const measured = curve.valid.find(([step]) => step === at);
      if (measured) add(svg, 'circle', { class: 'cursor-dot', cx: x(at), cy: y(measured[1]), r: 5 });
    }
    if (!pick) return;
    svg.classList.add('to-pick');
    svg.addEventListener('click', (event) => {
      const place = ((event.clientX - svg.getBoundingClientRect().left) / svg.getBoundingClientRect().width) * width;
      pick(marks.reduce((best, step) => (Math.abs(x(step) - place) < Math.abs(x(best) - place) ? step : best)));
    });
  };

  window.inkling.drawCurve = drawCurve;
})();
