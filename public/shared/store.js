// @ts-check
// What the elements know together. Chainlit remounts them at will: what was received lives here, in one store for each
// session.

/**
 * @typedef {object} Store
 * @property {Page.StoryState | null} state The story as the server sent it last, with the tokens that came since.
 * @property {boolean} savedAgain Whether the story is saved since the last news of it, and was not before.
 * @property {string | null | undefined} selected Id of the passage that was clicked.
 * @property {number | null} token And which of its parts.
 * @property {string | null} editing Id of the passage whose words can be edited.
 * @property {{at: number, y?: number} | null} caret Where in them the caret is to be put, in UTF-16 units, and the
 *   height in the window at which the writer saw that place.
 * @property {boolean} [intoRow] Whether a key opens the row of actions, and the focus goes there.
 * @property {string | null} [focused] The panel that took the focus.
 * @property {Element | null} [opener] What had it before, and gets it back.
 * @property {(() => boolean) | null} leaveEdit Leave the edit; true where it asks first whether its words may go.
 * @property {Page.Events['story_help']['commands'] | null} help
 * @property {number} takes How many versions are written at once.
 * @property {boolean} follow The tail of the text, while it grows.
 * @property {boolean} settles What comes below it is followed too, for the writer has done nothing since.
 * @property {number | null} frame The animation frame in which its new tokens are drawn.
 * @property {Map<string, Entry>} panels What StoryTools offers to open, by name.
 * @property {string | null} panel Name of the one that is open.
 * @property {string | null} about What it was opened for, if anything: a passage.
 * @property {boolean} shaded Whether the tokens are shaded by how likely they were.
 * @property {Odds | null} odds The token whose dice are looked at.
 * @property {Set<() => void>} listeners
 * @property {() => void} tell Everyone who listens is drawn anew.
 * @property {number} told How often.
 * @property {(name: string, about?: string | null) => void} open One panel at a time; the same again closes it.
 * @property {(words: string, request?: Page.Ask) => void} send From StoryView, as the next four: it has the socket.
 * @property {(request: Page.Act) => boolean} act False where it could not go, which is said.
 * @property {Query} query Ask for something beside the story, which changes nothing: the answer, or an Error whose
 *   message a writer can read.
 * @property {Command} command Change something beside the story; answered as a query is.
 * @property {(passage: string) => void} [readFrom] From StoryAloud: read aloud from a passage on.
 * @property {string | null | undefined} model The one that is picked.
 * @property {string | null} [agreed] The model that page and server last agreed on.
 * @property {(() => void) | null} [compareAgain] The last comparison once more.
 * @property {Branching} [branches] What each panel keeps, from the element of its name.
 * @property {import('./compare.js').Compare} [compare]
 * @property {{asked: string, found?: Page.Queries['copied'], error?: string}} [copied]
 * @property {{settings: Record<string, number>, asked?: string, found?: Page.Dice, error?: string | null}} [dice]
 * @property {Find} [find]
 * @property {Beside} [beside]
 * @property {import('./machine.js').Machine} [machine]
 * @property {Shelf} [shelf]
 * @property {import('./counts.js').Tally} [tally] What was counted of each passage.
 * @property {Train} [train]
 * @property {ReturnType<typeof import('./standing.js').newWhy>} [why]
 * @property {Tune | null} [tune]
 * @property {Pick<Tune, 'about' | 'values'> | null} [turned] The dials of a Retry that nobody has taken yet.
 *
 * @typedef {object} Branching
 * @property {string} asked
 * @property {string} story The id of the story that it is of.
 * @property {Page.Branches} [found]
 * @property {number} [now] When it was found, in seconds since 1970.
 * @property {string} [error]
 * @property {number} most So many forks are listed.
 * @property {string | null} asking The branch whose name is asked for.
 * @property {string | null} [goal] The one that is to be brought into sight.
 * @property {string | null} [focus] The one whose row gets the focus.
 * @property {{branch: Page.Branch, undo: number, done?: boolean} | null} [dropped] What was deleted last, and how many
 *   steps can be undone with it; done: they can.
 * @typedef {object} Find
 * @property {string} words What is looked for.
 * @property {string} text What is put in its place.
 * @property {boolean} exact Capitals count.
 * @property {boolean} whole Whole words only.
 * @property {number} anchor From where on the next place is looked at.
 * @property {boolean} goes Whether that place is jumped to when it is found.
 * @property {{start: number, end: number}[]} places
 * @property {number} count More than the places, where there are very many.
 * @property {number} now Which of them is looked at; -1 for none.
 * @property {string} asked What the places are of; "" until they came.
 * @property {string} error
 * @property {{count: number, before: string} | null} changed So many were to be replaced, of a story of these passages.
 *
 * @typedef {object} Beside What is read beside the story.
 * @property {string} [story] The id of the story of which it was said whether something typed came back.
 * @property {Page.Queries['context']} [cost]
 * @property {string} [error]
 *
 * @typedef {object} Shelf
 * @property {Page.ModelLine[] | null} rows
 * @property {[keyof Page.ModelLine, number]} sort
 * @property {string | null} shown
 * @property {Page.ModelCard | null} card
 * @property {string} problem
 *
 * @typedef {object} Train
 * @property {Page.Training[]} runs
 * @property {boolean} others Whether there is whom to share with.
 * @property {Page.Commands['training_text'] | null} text
 * @property {Page.TrainingPlan | null} plan
 * @property {Page.TextLanguage | null} language
 * @property {string} source
 * @property {string} status
 * @property {string} error
 *
 * @typedef {object} Tune
 * @property {string | null} about
 * @property {Record<string, string>} values What was turned.
 * @property {string} asked
 * @property {Page.Queries['tune']} [dials]
 * @property {string} [error]
 * @property {string} [name] Of a preset that may be kept.
 *
 * @typedef {{label: string, title: string, place: number}} Entry place: from left to right.
 * @typedef {{passage: string, at: number, pinned: boolean, found?: Page.TokenDice, error?: string}} Odds
 */

/**
 * @template {keyof Page.Queries} K
 * @typedef {{query: K} & Page.QueryRequests[K]} QueryRequest
 */

/**
 * @template {keyof Page.Commands} K
 * @typedef {{command: K} & Page.CommandRequests[K]} CommandRequest
 */

/**
 * @typedef {<K extends keyof Page.Queries>(request: QueryRequest<K>) => Promise<Page.Queries[K]>} Query
 * @typedef {<K extends keyof Page.Commands>(request: CommandRequest<K>) => Promise<Page.Commands[K]>} Command
 */

/** @type {Map<string, Store>} */
const stores = new Map();

const notYet = () => {
  throw new Error('The story view has no socket yet.');
};

/** See the end of the text, and what comes below it soon after, until the writer does something. */
export const toEnd = (/** @type {Store} */ store) => Object.assign(store, { follow: true, settles: true });

/** @returns {Store} */
export const newStore = () => {
  /** @type {Store} */
  const store = {
    state: null,
    savedAgain: false,
    selected: null,
    token: null,
    editing: null,
    caret: null,
    leaveEdit: null,
    help: null,
    takes: 1,
    follow: true,
    settles: true,
    frame: null,
    panels: new Map(),
    panel: null,
    about: null,
    shaded: false,
    odds: null,
    model: null,
    listeners: new Set(),
    told: 0,
    tell: () => {
      store.told += 1;
      store.listeners.forEach((hear) => hear());
    },
    open: (name, about = null) => {
      const again = about === null && store.panel === name;
      Object.assign(store, { panel: again ? null : name, about });
      store.tell();
    },
    send: notYet,
    act: notYet,
    query: notYet,
    command: notYet,
  };
  return store;
};

const storeOf = (/** @type {string} */ session) => {
  let store = stores.get(session);
  if (!store) {
    store = newStore();
    stores.set(session, store);
  }
  return store;
};

/** @type {Map<string, any>} */
const components = new Map();

/**
 * Chainlit evaluates an element anew whenever something about the page changes, and React would take another function
 * for another component: all of it would be thrown away and drawn anew. So the first one is always given back.
 *
 * @template T
 * @param {string} name
 * @param {T} component
 * @returns {T}
 */
export const lasting = (name, component) => {
  if (!components.has(name)) components.set(name, component);
  return components.get(name);
};

/** @typedef {Pick<typeof import('react'), 'useEffect' | 'useReducer'>} Hooks */

/**
 * The store of a session; the element is drawn anew when it tells. React comes from the element: this file has none.
 *
 * @param {Hooks} react
 * @param {string} session
 */
export const useStory = ({ useEffect, useReducer }, session) => {
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0);
  const store = storeOf(session);
  const { told } = store;
  useEffect(() => {
    store.listeners.add(redraw);
    // Elements that are drawn at once tell of themselves before the last of them listens.
    if (store.told !== told) redraw();
    return () => {
      store.listeners.delete(redraw);
    };
  }, [store]);
  return store;
};

/**
 * Offer a panel in StoryTools.
 *
 * @param {Pick<Hooks, 'useEffect'>} react
 * @param {Store} store
 * @param {string} name
 * @param {Entry} entry
 * @returns {boolean} whether it is open
 */
export const usePanel = ({ useEffect }, store, name, entry) => {
  useEffect(() => {
    if (store.panels.has(name)) return;
    store.panels.set(name, entry);
    store.tell();
  }, [store]);
  return store.panel === name;
};

/** Version 4, as Chainlit demands of a message; crypto.randomUUID is missing where the page comes over plain HTTP. */
export const uuid = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return [...bytes].map((b, i) => ([4, 6, 8, 10].includes(i) ? '-' : '') + b.toString(16).padStart(2, '0')).join('');
};
