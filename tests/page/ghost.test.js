// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ghost } from '../../public/shared/ghost.js';
import { isRightToLeft, leftOf, nextWord } from '../../public/shared/ghost_words.js';

test('the next word brings its space and its marks, in any script', () => {
  assert.equal(nextWord(' upon a time.'), ' upon');
  assert.equal(nextWord('brella, she said'), 'brella,');
  assert.equal(nextWord('\n\nThe end.'), '\n\nThe');
  assert.equal(nextWord(' time.'), ' time.');
  assert.equal(nextWord(''), '');
  const [first, whole] = [nextWord('狐狸跑了。'), '狐狸跑了。'];
  assert.ok(first.length > 0 && first.length < whole.length && whole.startsWith(first));
});

test('every word that is taken leaves the rest, and in the end nothing', () => {
  const words = ' upon a time, there was a 狐狸 in the “wood”.';
  let [line, left] = ['Once', words];
  while (left) {
    const word = nextWord(left);
    assert.ok(word);
    const next = leftOf(line, left, line + word);
    assert.equal(next, left.slice(word.length));
    [line, left] = [line + word, /** @type {string} */ (next)];
  }
  assert.equal(line, `Once${words}`);
});

test('a line that goes another way, or back, leaves nothing', () => {
  assert.equal(leftOf('Once', ' upon', 'Once u'), 'pon');
  assert.equal(leftOf('Once', ' upon', 'Once i'), null);
  assert.equal(leftOf('Once', ' upon', 'Onc'), null);
  assert.equal(leftOf('Once', ' upon', 'Once upon a'), null);
});

test('a line is read from the right as its last paragraph begins', () => {
  assert.deepEqual(['Once', '“היה', 'Once\nכלב', 'كان fox', '', '12'].map(isRightToLeft), [
    ...[false, true, true],
    ...[true, false, false],
  ]);
});

/** A ghost at a line that the test moves, a clock that it winds, and answers that it gives. */
const haunted = () => {
  const at = {
    spot: /** @type {import('../../public/shared/ghost.js').Spot | null} */ (null),
    timers: /** @type {Set<() => void>} */ (new Set()),
    asked: /** @type {string[]} */ ([]),
    answer: /** @type {(words: string) => void} */ (() => {}),
    hushed: 0,
    shown: '',
    news: 0,
    ghost: /** @type {Ghost} */ (/** @type {unknown} */ (null)),
    go: (/** @type {string | null} */ line, of = 'one') => {
      at.spot = line === null ? null : { line, of };
      at.ghost.changed();
    },
    pause: () => {
      const due = [...at.timers];
      at.timers.clear();
      due.forEach((run) => run());
    },
    say: async (/** @type {string} */ words) => {
      at.answer(words);
      await new Promise((done) => setTimeout(done));
    },
  };
  at.ghost = new Ghost({
    look: () => at.spot,
    ask: (line) => {
      at.asked.push(line);
      return new Promise((answer) => {
        at.answer = answer;
      });
    },
    hush: () => {
      at.hushed += 1;
    },
    show: (_, words, isNew) => {
      at.shown = words;
      at.news += Number(isNew);
    },
    later: (run) => {
      at.timers.add(run);
      return () => at.timers.delete(run);
    },
  });
  return at;
};

test('only a pause asks, and once for each line', async () => {
  const at = haunted();
  at.go('O');
  at.go('Once');
  assert.deepEqual([at.asked, at.timers.size], [[], 1]);
  at.pause();
  at.ghost.changed();
  await at.say(' upon a time.');
  assert.deepEqual([at.asked, at.shown, at.news, at.timers.size], [['Once'], ' upon a time.', 1, 0]);
});

test('a key calls off what was asked, and an answer that comes late is not shown', async () => {
  const at = haunted();
  at.go('Once');
  at.pause();
  const late = at.answer;
  at.go('Once i');
  assert.equal(at.hushed, 1);
  late(' upon');
  await at.say('');
  assert.equal(at.shown, '');
  at.pause();
  await at.say('n a wood');
  assert.deepEqual([at.asked, at.shown], [['Once', 'Once i'], 'n a wood']);
});

test('what is typed as it was suggested stays, and is said but once; another key takes it away', async () => {
  const at = haunted();
  at.go('Once');
  at.pause();
  await at.say(' upon a time.');
  at.go('Once up');
  assert.deepEqual([at.shown, at.timers.size, at.news], ['on a time.', 0, 1]);
  at.go('Once upo!');
  assert.deepEqual([at.shown, at.timers.size], ['', 1]);
});

test('all of it taken, the next are asked for; another story, or none, has none of them', async () => {
  const at = haunted();
  at.go('Once');
  at.pause();
  await at.say(' upon');
  at.go('Once upon');
  assert.deepEqual([at.shown, at.timers.size], ['', 1]);
  at.pause();
  await at.say(' a time');
  at.go('Once upon', 'another');
  assert.deepEqual([at.shown, at.timers.size], ['', 1]);
  at.go(null);
  assert.equal(at.timers.size, 0);
});

test('words that were sent away come back only when the writer has been elsewhere', async () => {
  const at = haunted();
  at.go('Once');
  at.pause();
  await at.say(' upon');
  at.ghost.drop();
  at.ghost.changed();
  assert.deepEqual([at.shown, at.timers.size], ['', 0]);
  at.ghost.leave();
  at.ghost.changed();
  assert.equal(at.timers.size, 1);
});
