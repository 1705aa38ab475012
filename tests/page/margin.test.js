// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomBeside } from '../../public/shared/margin.js';

test('the room beside the text is that of the side where less is', () => {
  assert.equal(roomBeside({ left: 256, right: 1280 }, { left: 464, right: 1072 }), 208);
  assert.equal(roomBeside({ left: 0, right: 1000 }, { left: 10, right: 900 }), 10);
  assert.equal(roomBeside({ left: 0, right: 500 }, { left: -10, right: 510 }), 0);
});
