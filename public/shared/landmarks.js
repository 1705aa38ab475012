// @ts-check
// Where a story can be jumped to: its headings and scene breaks, as far as a line alone tells them for certain.

/**
 * @typedef {object} Landmark
 * @property {'heading' | 'break'} kind
 * @property {number} level 1 to 6, of a heading; 0 of a break.
 * @property {string} title Of a break, the words that follow it.
 * @property {number} at Where its line begins, in UTF-16 units.
 * @property {number} end Where it ends, without the line's end.
 */

const BREAK = /^(?:(?:[*•·◦○●] {0,3})+|(?:[-–_] ?){3,}|(?:— ?){2,}|⸻|(?:~ ?)+|#(?: ?#){0,5}|(?:[⁂⁑※§❦❧☙✻✽✦❖◆◇] ?)+)$/u;
const MARKDOWN = /^(#{1,6})[ \t]+(?!#)(\S.*?)[ \t]*#*$/;
const ROMAN = '(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})';
const ONES = 'one|two|three|four|five|six|seven|eight|nine';
const TENS = 'twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety';
const TEENS = 'ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen';
const ORDINALS = 'first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last';
const SPELT = `(?:the )?(?:${ORDINALS})|(?:${TENS})(?:[- ](?:${ONES}))?|${TEENS}|${ONES}`;
const NUMBER = `(?:\\d{1,4}|${ROMAN}|${SPELT})`;
/** What the divisions of a book are called. */
const PARTS = 'part|book|volume|teil|buch|band|partie|livre|parte|libro|livro|deel|boek|del|часть|книга|część|księga';
const FOREIGN =
  'kapitel|chapitre|capítulo|capitulo|capitolo|capítol|hoofdstuk|rozdział|kapitola|глава|розділ|bölüm|kapittel|luku|' +
  'fejezet|κεφάλαιο';
const CHAPTERS = `chapter|chap\\.|${FOREIGN}`;
const SCENES = 'act|scene|canto|episode|akt|szene|acte|scène|acto|escena|atto|scena|cena|действие|явление';
const ALONE =
  'prologue|epilogue|interlude|preface|foreword|introduction|afterword|appendix|acknowledge?ments|dedication|' +
  'prolog|epilog|vorwort|nachwort|einleitung|prologo|prólogo|epílogo|epilogo|prefacio|préface|épilogue|пролог|эпилог|' +
  'введение|предисловие|послесловие|voorwoord|序章|終章|终章|序|楔子|尾声|後記|后记|プロローグ|エピローグ|프롤로그|에필로그';
const SEPARATOR = '[ \\t]*[.:–—-][ \\t]*';
/** Its name, and what may follow it: nothing, or a title behind a mark. */
const numbered = (/** @type {string} */ names) =>
  new RegExp(`^(?:${names})[ \\t]+${NUMBER}(?:[.:]?$|${SEPARATOR}(?<title>\\S.*)$|[ \\t]+(?<bare>\\p{Lu}.*)$)`, 'iu');
const PART = numbered(PARTS);
const CHAPTER = numbered(CHAPTERS);
const SCENE = numbered(SCENES);
/** "Kapitel eins", "Глава первая", "Erstes Kapitel". */
const SPELT_CHAPTER = new RegExp(`^(?:(?:${FOREIGN})[ \\t]+[\\p{L}-]{2,20}|\\p{L}{2,16}tes[ \\t]+kapitel)$`, 'iu');
const UNNUMBERED = new RegExp(`^(?:${ALONE})(?:[.:]?$|${SEPARATOR}(?<after>\\S.*)$)`, 'iu');
const CHINESE = '第[\\s\u3000]?[\\d０-９〇零一二三四五六七八九十百千两兩]{1,7}[\\s\u3000]?[章回节節话話卷部集幕篇]';
const KOREAN = '제\\s?\\d{1,4}\\s?[장부화막편권]';
/** 第三章 風, 제3장. */
const EASTERN = new RegExp(`^(?:${CHINESE}|${KOREAN})(?:[\\s\u3000:：.、・-]+\\S.*)?$`, 'u');
const EASTERN_PARTS = /^(?:第.{1,9}?[卷部集篇]|제.{1,6}?[부편권])/u;
const BARE = new RegExp(`^(?:(\\d{1,3})|(${ROMAN}))\\.?$`);
/** Characters of a line; a longer one is a paragraph. */
const LONGEST = 90;
const LONGEST_MARKED = 300;
const DIGITS = /** @type {Record<string, number>} */ ({ I: 1, V: 5, X: 10, L: 50, C: 100, D: 500, M: 1000 });

const ofRoman = (/** @type {string} */ letters) =>
  [...letters].reduce((sum, each, at) => {
    const [own, next] = [DIGITS[each], DIGITS[letters[at + 1]] || 0];
    return sum + (own < next ? -own : own);
  }, 0);

/** Whether what follows a number or a name is a title, and no sentence. */
const isTitle = (/** @type {RegExpExecArray} */ { groups }) => {
  const { title = '', bare = '', after = '' } = groups || {};
  if (bare) return bare.length <= 60 && /^\p{Lu}/u.test(bare) && !/[.,;:!?…"”»]$/u.test(bare);
  return !/[.,;]$/.test(title || after) && !/^\p{Ll}/u.test(after);
};

/** @type {[RegExp, number][]} */
const FORMS = [
  [PART, 1],
  [CHAPTER, 2],
  [SCENE, 3],
  [UNNUMBERED, 2],
];

/** The level of a heading; 0 for a line that is none. `apart`: an empty line, or none, stands before it. */
const levelOf = (/** @type {string} */ line, /** @type {boolean} */ apart) => {
  const marked = MARKDOWN.exec(line);
  if (marked) return marked[1].length;
  if (line.length > LONGEST) return 0;
  for (const [form, level] of FORMS) {
    const found = form.exec(line);
    // A name and a number alone are sure wherever they stand.
    const sure = apart || (form !== UNNUMBERED && !found?.groups?.title && !found?.groups?.bare);
    if (found && sure && isTitle(found)) return level;
  }
  if (EASTERN.test(line)) return EASTERN_PARTS.test(line) ? 1 : 2;
  return apart && SPELT_CHAPTER.test(line) ? 2 : 0;
};

/**
 * Numbers that stand alone are headings where they count on: 1, 2, 3 …
 *
 * @param {{number: number, mark: Landmark}[]} bare
 */
const counted = (bare) => {
  /** @type {Landmark[]} */
  const found = [];
  let run = /** @type {typeof bare} */ ([]);
  const end = () => {
    if (run.length > 1) found.push(...run.map(({ mark }) => mark));
    run = [];
  };
  bare.forEach((each) => {
    if (each.number !== (run.at(-1)?.number ?? 0) + 1) end();
    if (run.length || each.number === 1) run.push(each);
  });
  end();
  return found;
};

const wordsAfter = (/** @type {string} */ text, /** @type {number} */ at) => {
  const words = text
    .slice(at, at + 400)
    .trimStart()
    .split('\n')[0];
  const short = words.slice(0, 60).replace(/\s+\S*$/, '');
  return words.length > 60 ? `${short || words.slice(0, 60)}…` : words;
};

/**
 * The headings and scene breaks of a story, first to last.
 *
 * @param {string} text
 * @returns {Landmark[]}
 */
export const landmarks = (text) => {
  /** @type {Landmark[]} */
  const found = [];
  const bare = /** @type {{number: number, mark: Landmark}[]} */ ([]);
  let at = 0;
  let apart = true;
  text.split('\n').forEach((whole) => {
    const line = whole.trim();
    const start = at + whole.length - whole.trimStart().length;
    at += whole.length + 1;
    if (!line) {
      apart = true;
      return;
    }
    const mark = { kind: /** @type {const} */ ('heading'), title: line, at: start, end: start + line.length };
    const level = line.length <= LONGEST_MARKED ? levelOf(line, apart) : 0;
    const number = apart && line.length < 12 ? BARE.exec(line) : null;
    if (level) found.push({ ...mark, level, title: MARKDOWN.exec(line)?.[2] || line });
    else if (line.length < 40 && BREAK.test(line))
      found.push({ ...mark, kind: 'break', level: 0, title: wordsAfter(text, mark.end) });
    else if (number)
      bare.push({ number: number[1] ? Number(number[1]) : ofRoman(number[2]), mark: { ...mark, level: 2 } });
    apart = found.at(-1)?.at === start;
  });
  return [...found, ...counted(bare)].sort((one, other) => one.at - other.at);
};
