// @ts-check
// Which voice reads, and how fast: what the browser keeps of the writer's choice, and what is taken without one.

/** How fast, beside the voice's own pace. */
export const RATES = [0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2];
/** Longer than any choice that is kept; so many languages, and so long a name of a voice. */
const [LONGEST, MOST, LONGEST_NAME] = [20_000, 50, 300];

/**
 * @typedef {Pick<SpeechSynthesisVoice, 'voiceURI' | 'name' | 'lang' | 'localService' | 'default'>} Voice
 * @typedef {{rate: number, voices: Record<string, string>}} Choice voices: the URI of one by the story's language.
 */

/**
 * What the browser keeps, as far as it is a choice: any page of this address could have written it.
 *
 * @param {string | null} raw
 * @returns {Choice}
 */
export const read = (raw) => {
  /** @type {Choice} */
  const choice = { rate: 1, voices: {} };
  if (!raw || raw.length > LONGEST) return choice;
  try {
    const { rate, voices } = JSON.parse(raw);
    if (RATES.includes(rate)) choice.rate = rate;
    const known = Object.entries(voices ?? {}).filter(
      ([language, name]) =>
        /^[a-z]{2,8}$/.test(language) && typeof name === 'string' && name && name.length <= LONGEST_NAME,
    );
    choice.voices = Object.fromEntries(known.slice(0, MOST));
  } catch {
    // It is none.
  }
  return choice;
};

/** The language itself, without its land or script. */
export const languageOf = (/** @type {string} */ tag) => tag.toLowerCase().split(/[-_]/)[0];

/** The voices as they are offered: those of the language first, those of this machine before others, then by name. */
export const offered = (/** @type {Voice[]} */ voices, /** @type {string} */ language) => {
  const rank = (/** @type {Voice} */ { lang, localService }) =>
    (languageOf(lang) === language ? 0 : 2) + (localService ? 0 : 1);
  return [...voices].sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
};

/**
 * The voice that reads: the writer's own choice, else one of this machine, that of the language first. One that sends
 * the words elsewhere is taken only where the writer picked it.
 *
 * @template {Voice} V
 * @param {V[]} voices
 * @param {string} language
 * @param {string | undefined} chosen
 * @returns {V | null}
 */
export const pickVoice = (voices, language, chosen) => {
  const own = voices.filter(({ localService }) => localService);
  const fit = own.filter(({ lang }) => languageOf(lang) === language);
  const usual = (/** @type {V[]} */ some) => some.find((each) => each.default) ?? some[0];
  return voices.find(({ voiceURI }) => voiceURI === chosen) ?? usual(fit) ?? usual(own) ?? null;
};

/** What there is to say of the voices; "" where all is well. */
export const aboutVoices = (
  /** @type {Voice[]} */ voices,
  /** @type {Voice | null} */ picked,
  /** @type {string} */ language,
) => {
  if (!voices.length)
    return (
      'This browser has no voice to read with. Voices come with the system: on Windows, macOS, Android and iOS in ' +
      'its settings, on Linux with speech-dispatcher and a voice such as espeak-ng.'
    );
  if (!picked) return 'The voices of this browser send the words to their maker: pick one if it may read.';
  return languageOf(picked.lang) === language ? '' : `No voice of this machine is for “${language}”: pick the best.`;
};
