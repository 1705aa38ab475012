// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curveKey, errorLine, panelHead, tokenSigns } from '../../public/shared/panel.js';

/** What React would be asked to make. */
const h = /** @type {any} */ (
  (/** @type {string} */ type, /** @type {object | null} */ props, /** @type {unknown[]} */ ...inside) => ({
    ...{ type, props, inside },
  })
);

test('the head of a panel has its title, and a button that closes it', () => {
  let closed = 0;
  const { type, inside } = /** @type {any} */ (panelHead(h, 'Train', () => (closed += 1), 'a training goes on'));
  const [title, button] = inside;
  assert.deepEqual([type, title.type, title.inside], ['header', 'h2', ['Train']]);
  assert.deepEqual([button.props.type, button.props.title], ['button', 'a training goes on']);
  button.props.onClick();
  assert.equal(closed, 1);
  const usual = /** @type {any} */ (panelHead(h, 'Dice', () => {}));
  assert.equal(usual.inside[1].props.title, 'Close (Esc)');
});

test('both lines of a curve are named, the one that counts apart', () => {
  const lines = /** @type {any} */ (curveKey(h)).inside;
  assert.deepEqual(
    lines.map((/** @type {any} */ line) => line.props?.className),
    [undefined, 'of-valid'],
  );
});

test('a space of a token is drawn as a sign, its letters as they are', () => {
  const [space, letters] = /** @type {any[]} */ (tokenSigns(h, ' fox'));
  assert.deepEqual([space.props.className, space.inside, letters], ['sign', ['\u2423'], 'fox']);
});

test('what went wrong is an alert, and where nothing did there is none', () => {
  const line = /** @type {any} */ (errorLine(h, 'no model'));
  assert.deepEqual([line.props.role, line.inside], ['alert', ['no model']]);
  assert.equal(errorLine(h, ''), null);
});
