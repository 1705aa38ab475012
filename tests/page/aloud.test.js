// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Aloud, CHANGED, LONGEST, nextPiece, sentenceAt } from '../../public/shared/aloud.js';
import { aboutVoices, offered, pickVoice, RATES, read } from '../../public/shared/aloud_voice.js';

/** All that is read of a text. @param {string} text @param {number} [from] @param {number} [to] */
const pieces = (text, from = 0, to = text.length) => {
  const all = [];
  for (let at = nextPiece(text, from, to); at; at = nextPiece(text, at.end, to)) all.push(text.slice(at.start, at.end));
  return all;
};

test('a text is read sentence by sentence, and what has no word is passed over', () => {
  assert.deepEqual(pieces('Once upon a time. “Who is it?” he said.\n\n* * *\n\n# The Sea\nIt was calm'), [
    ...['Once upon a time.', '“Who is it?” he said.', '# The Sea', 'It was calm'],
  ]);
  assert.deepEqual(pieces(' \n* * *\n…'), []);
  assert.deepEqual(pieces(''), []);
  assert.deepEqual(pieces('狐は走った。海は静かだった。'), ['狐は走った。', '海は静かだった。']);
});

test('a line that was broken by hand is read on', () => {
  assert.deepEqual(pieces('The fox was\nred. The Owl\nwas not.\nThe end'), [
    ...['The fox was\nred.', 'The Owl\nwas not.', 'The end'],
  ]);
});

test('no piece is longer than a browser says in one go, and no word of it is lost', () => {
  const words = Array.from({ length: 400 }, (_, at) => `word${at}${at % 9 ? '' : ','}`).join(' ');
  const all = pieces(words);
  assert.ok(all.every((each) => each.length <= LONGEST));
  assert.equal(all.join(' '), words);
  assert.ok(all[0].endsWith(','));
  const faces = '😀a'.repeat(2000);
  assert.equal(pieces(faces).join(''), faces);
  assert.ok(pieces(faces).every((each) => each.length <= LONGEST && each.isWellFormed()));
  const far = `${'. '.repeat(4995)}Here it is.`; // the sentence goes over the end of what is looked at
  assert.deepEqual(pieces(far), ['Here it is.']);
});

test('a part of a text is read to its end and no further', () => {
  const text = 'The fox ran. The owl saw it.';
  assert.deepEqual(pieces(text, 4, 20), ['fox ran.', 'The owl']);
  assert.equal(sentenceAt(text, 18), 13);
  assert.equal(sentenceAt(text, 3), 0);
  assert.equal(sentenceAt('', 0), 0);
});

const reading = (/** @type {string} */ story) => {
  const heard = {
    story,
    said: /** @type {string[]} */ ([]),
    silenced: 0,
    told: 0,
    /** @type {any} */
    now: null,
  };
  const aloud = new Aloud({
    synth: {
      speak: (/** @type {any} */ spoken) => {
        heard.now = spoken;
        heard.said.push(spoken.words);
      },
      cancel: () => (heard.silenced += 1),
    },
    utter: (words) => /** @type {any} */ ({ words, onend: null, onerror: null }),
    text: () => heard.story,
    tell: () => (heard.told += 1),
    later: (run) => run(),
  });
  return { aloud, heard, ended: () => heard.now.onend({}) };
};

test('sentence follows sentence, and at the end all is as before', () => {
  const { aloud, heard, ended } = reading('One. Two. Three.');
  aloud.start(5);
  assert.deepEqual([aloud.isOn, aloud.piece], [true, { start: 5, end: 9 }]);
  ended();
  assert.deepEqual(heard.said, ['Two.', 'Three.']);
  ended();
  assert.deepEqual([aloud.isOn, aloud.piece, aloud.said, heard.silenced], [false, null, '', 0]);
});

test('a pause goes on with the sentence in which it came, and a stop is heard at once', () => {
  const { aloud, heard, ended } = reading('One. Two. Three.');
  aloud.start(0);
  ended();
  const late = heard.now.onend;
  aloud.pause();
  late({}); // browsers say that what they broke off has ended
  assert.deepEqual([aloud.isPaused, heard.silenced, heard.said], [true, 1, ['One.', 'Two.']]);
  aloud.goOn();
  assert.deepEqual([aloud.isPaused, heard.said.at(-1)], [false, 'Two.']);
  aloud.again();
  assert.deepEqual([heard.silenced, heard.said.length], [2, 4]);
  aloud.stop();
  assert.deepEqual([aloud.isOn, heard.silenced], [false, 3]);
  aloud.goOn();
  aloud.again();
  aloud.pause();
  assert.deepEqual([aloud.isOn, heard.said.length], [false, 4]);
});

test('words that change under the reading stop it, and those after it do not', () => {
  const { aloud, heard, ended } = reading('One. Two. Three.');
  aloud.start(0);
  heard.story = 'One. Two. Thrice.';
  aloud.mind();
  assert.ok(aloud.isOn);
  ended();
  ended();
  assert.equal(heard.said.at(-1), 'Thrice.');
  heard.story = 'One. Too. Thrice.';
  aloud.mind();
  assert.deepEqual([aloud.isOn, aloud.said, heard.silenced], [false, CHANGED, 1]);
  aloud.start(0);
  assert.equal(aloud.said, '');
});

test('a voice that fails says so, and one that another page took can go on', () => {
  const { aloud, heard } = reading('One. Two.');
  aloud.start(0);
  heard.now.onerror({ error: 'interrupted' });
  assert.deepEqual([aloud.isOn, aloud.isPaused], [true, true]);
  aloud.goOn();
  heard.now.onerror({ error: 'synthesis-failed' });
  assert.equal(aloud.isOn, false);
  assert.match(aloud.said, /synthesis-failed/);
});

const voice = (/** @type {string} */ name, /** @type {string} */ lang, here = true, usual = false) => ({
  ...{ voiceURI: `urn:${name}`, name, lang, localService: here, default: usual },
});

test('the voice is of this machine and of the language, unless the writer picked another', () => {
  const voices = [voice('Far', 'de-DE', false), voice('Eve', 'en-US', true, true), voice('Dieter', 'de_DE')];
  assert.equal(pickVoice(voices, 'de', undefined)?.name, 'Dieter');
  assert.equal(pickVoice(voices, 'fr', undefined)?.name, 'Eve');
  assert.equal(pickVoice(voices, 'de', 'urn:Far')?.name, 'Far');
  assert.equal(pickVoice(voices, 'de', 'urn:Gone')?.name, 'Dieter');
  assert.equal(pickVoice([voices[0]], 'de', undefined), null);
  assert.deepEqual(
    offered(voices, 'de').map(({ name }) => name),
    ['Dieter', 'Far', 'Eve'],
  );
});

test('it is said where there is no voice, none of this machine, or none of the language', () => {
  const [far, eve] = [voice('Far', 'de-DE', false), voice('Eve', 'en-US')];
  assert.match(aboutVoices([], null, 'de'), /no voice to read with/);
  assert.match(aboutVoices([far], null, 'de'), /send the words/);
  assert.match(aboutVoices([eve], eve, 'de'), /“de”/);
  assert.equal(aboutVoices([eve], eve, 'en'), '');
});

test('what the browser keeps of voice and pace is checked', () => {
  assert.deepEqual(read(JSON.stringify({ rate: 1.5, voices: { de: 'urn:Dieter' } })), {
    ...{ rate: 1.5, voices: { de: 'urn:Dieter' } },
  });
  const strange = ['{', 'null', '7', '{"rate":99,"voices":3}', `{"voices":{"en":"${'x'.repeat(301)}","<b>":"y"}}`];
  for (const raw of [null, ...strange]) assert.deepEqual(read(raw), { rate: 1, voices: {} }, String(raw));
  assert.ok(RATES.includes(1));
});
