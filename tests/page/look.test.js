// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changes, DIALS, FACES, read, USUAL, variables } from '../../public/shared/look.js';
import { linesOf } from '../../public/shared/tokens.js';

const as = (/** @type {number} */ n) => () => n;

test('a look that nobody changed leaves the style sheets alone', () => {
  assert.deepEqual(read(null), USUAL);
  assert.deepEqual(changes(read(null)), {});
  assert.deepEqual(variables(read(null), as(1.2)), {});
});

test('what is kept comes back, and only that', () => {
  const kept = { face: 'sans', size: 120, line: 2, gap: 0.5, width: 60 };
  assert.deepEqual(read(JSON.stringify(kept)), kept);
  assert.deepEqual(changes(read(JSON.stringify({ ...kept, line: USUAL.line, ink: 'red' }))), {
    ...{ face: 'sans', size: 120, gap: 0.5, width: 60 },
  });
});

test('what another page wrote is a look, or is passed over', () => {
  const strange = [
    '{',
    '7',
    'null',
    '[]',
    '"serif"',
    '{"size":"300"}',
    '{"size":1e9,"gap":-1,"line":null,"width":{}}',
    '{"face":"toString"}',
    '{"face":"x; } body { display: none"}',
    `{"size":120,"ink":"${'x'.repeat(600)}"}`,
  ];
  for (const raw of strange) assert.deepEqual(read(raw), USUAL, raw);
  assert.deepEqual(read('{"size":123.4,"face":"wild","width":60}'), { ...USUAL, size: 120, width: 60 });
});

test('every step of a dial is kept as it is shown, and said in words', () => {
  for (const [name, { least, most, step, said }] of Object.entries(DIALS)) {
    const usual = USUAL[/** @type {keyof typeof DIALS} */ (name)];
    assert.ok(least <= usual && usual <= most);
    for (let at = 0; at <= Math.round((most - least) / step); at++) {
      const value = Number((least + at * step).toFixed(2));
      assert.equal(read(JSON.stringify({ [name]: value }))[/** @type {keyof typeof DIALS} */ (name)], value);
      assert.match(said(value), /^(about )?[\d.]+( .+)?$|^none$/);
    }
  }
  assert.deepEqual([0, 0.25, 1, 1.5].map(DIALS.gap.said), ['none', '0.25 lines', '1 line', '1.5 lines']);
});

test('a line holds as many letters in a larger and in a wider font', () => {
  const look = { ...USUAL, face: 'clear', size: 150 };
  assert.deepEqual(variables(look, as(1.2)), {
    ...{ '--story-font': FACES.clear.fonts, '--story-size': '1.5', '--story-width': '1.800' },
  });
  assert.equal(variables({ ...USUAL, width: 60 }, as(1.2))['--story-width'], '0.800');
  assert.deepEqual(variables({ ...USUAL, line: 2, gap: 1 }, as(1)), { '--story-line': '2', '--story-gap': '1' });
});

test('a text is cut into lines, each with the empty ones that follow it', () => {
  for (const text of ['', 'a', '\n\n', 'a\nb\n\n\nc\n', '\na  \nb']) assert.equal(linesOf(text).join(''), text);
  assert.deepEqual(linesOf('a\nb\n\nc'), ['a\n', 'b\n\n', 'c']);
});
