// @ts-check
// The story as this page has it: what the server sent, with the tokens that came since.
import { startAnew } from './composer.js';

/**
 * Add new tokens to the passage that they are of.
 *
 * @param {Page.StoryState | null} state
 * @param {Page.StoryDelta} delta
 * @returns {boolean} false where the page missed something, and must ask for it
 */
export const grown = (state, delta) => {
  if (!state || state.revision !== delta.revision) return false;
  const draft = [...state.passages.slice(-1), ...state.takes].find((each) => each.id === delta.passage);
  if (!draft || delta.from > draft.tokens.length) return false;
  const known = draft.tokens.length - delta.from;
  draft.tokens.push(...delta.tokens.slice(known));
  draft.odds?.push(...delta.odds.slice(known));
  state.meter = delta.meter;
  return true;
};

/**
 * What to do with each event of the server.
 *
 * @param {import('./store.js').Store} store
 * @param {() => boolean} ask Ask the server for what is missing; gives false.
 * @param {Pick<import('./unsent.js').Unsent, 'arrive' | 'hear' | 'kept' | 'named' | 'refused'>} unsent
 * @returns {Record<string, (data: any) => boolean>} each says whether all of the text is to be drawn anew
 */
export const received = (store, ask, unsent) => ({
  story_state: (/** @type {Page.Events['story_state']} */ state) => {
    store.savedAgain = Boolean(store.state?.unsaved) && !state.unsaved;
    store.state = state;
    if (state.writing) store.turned = null;
    unsent.arrive(state);
    return true;
  },
  story_kept: (/** @type {Page.Events['story_kept']} */ { unsaved }) => {
    if (!store.state) return false;
    store.savedAgain = Boolean(store.state.unsaved) && !unsaved;
    store.state.unsaved = unsaved;
    return false;
  },
  story_delta: (/** @type {Page.Events['story_delta']} */ delta) => {
    unsent.hear();
    return grown(store.state, delta) ? false : ask();
  },
  story_status: (/** @type {Page.Events['story_status']} */ { status, writing }) => {
    if (store.state) Object.assign(store.state, { status, writing });
    return false;
  },
  // What is out of the model's sight is drawn otherwise.
  story_meter: (/** @type {Page.Events['story_meter']} */ { meter }) => {
    if (!store.state) return false;
    const before = store.state.meter?.unseen || 0;
    store.state.meter = meter;
    return (meter?.unseen || 0) !== before;
  },
  // The address is the story's from the first word on. Chainlit would go there as to another page, and blink.
  first_interaction: (/** @type {{interaction: string, thread_id: string}} */ { interaction, thread_id: thread }) => {
    if (window.location.pathname === '/') {
      window.history.replaceState(window.history.state, '', `/thread/${thread}`);
      unsent.named(thread);
    }
    // With its title comes each save; see SocketPage.name_thread.
    if (interaction.startsWith('“')) unsent.kept();
    return false;
  },
  story_leave: () => {
    startAnew();
    return false;
  },
  story_help: (/** @type {Page.Events['story_help']} */ { commands }) => {
    store.help = commands;
    return false;
  },
  story_refused: (/** @type {Page.Events['story_refused']} */ { words }) => {
    unsent.refused(words);
    const { turned } = store;
    store.turned = null;
    if (turned) Object.assign(store, { panel: 'tune', about: turned.about, tune: { ...turned, asked: '' } });
    return false;
  },
});
