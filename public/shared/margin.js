// @ts-check
// How much room the page has beside the text, and so whether what is known of each passage can stand in the margin.

/** Of the font that the page has, rem: the facts are never narrower than a setting and its name. */
export const LEAST = 11.5;

/**
 * What stands beside the text, at the side where less does: the text is in the middle.
 *
 * @param {Pick<DOMRect, 'left' | 'right'>} frame What scrolls, without its scroll bar.
 * @param {Pick<DOMRect, 'left' | 'right'>} text
 */
export const roomBeside = (frame, text) => Math.max(0, Math.min(text.left - frame.left, frame.right - text.right));

/**
 * Say to the style sheets how much room there is, now and whenever it changes: the window, a panel, the list of
 * stories, the writer's own width of a line.
 *
 * @param {HTMLElement} box The text.
 * @param {HTMLElement} frame What scrolls it.
 * @returns {() => void} what ends it
 */
export const watchMargin = (box, frame) => {
  let before = -1;
  const look = () => {
    const outer = frame.getBoundingClientRect();
    const left = outer.left + frame.clientLeft;
    const room = Math.floor(roomBeside({ left, right: left + frame.clientWidth }, box.getBoundingClientRect()));
    // The text grows with each line that is written, and the room does not.
    if (room === before) return;
    before = room;
    frame.style.setProperty('--room', `${room}px`);
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    box.toggleAttribute('data-margin', room >= LEAST * rem);
  };
  // It tells before the page is painted, so that nothing is seen to jump.
  const observer = new ResizeObserver(look);
  observer.observe(frame);
  observer.observe(box.parentElement ?? box);
  look();
  return () => observer.disconnect();
};
