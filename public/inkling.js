// @ts-check
// What the elements of the page share. Chainlit compiles each of public/elements alone, so they cannot import each
// other: they find it in the window.
import './login.js';
import * as aloud from './shared/aloud_desk.js';
import * as beside from './shared/beside.js';
import * as branches from './shared/branches.js';
import * as cards from './shared/cards.js';
import * as compare from './shared/compare.js';
import * as composer from './shared/composer.js';
import { selectedWords, watchCopies } from './shared/copying.js';
import * as counts from './shared/counts.js';
import { drawCurve } from './shared/curve.js';
import * as desk from './shared/desk.js';
import { drawLeftOver } from './shared/edit_notes.js';
import { drawFacts } from './shared/facts.js';
import * as files from './shared/files.js';
import * as ghost from './shared/ghost_desk.js';
import * as keys from './shared/keys.js';
import { landmarks } from './shared/landmarks.js';
import * as listen from './shared/listen.js';
import * as look from './shared/look.js';
import * as machine from './shared/machine.js';
import { watchMargin } from './shared/margin.js';
import { watchNames } from './shared/names.js';
import * as numbers from './shared/numbers.js';
import * as panel from './shared/panel.js';
import { RETRY, stepsOf } from './shared/passage_row.js';
import { clicked, drawLook, drawPassages, drawRow, REDRAWN } from './shared/passages.js';
import * as places from './shared/places.js';
import * as sentences from './shared/sentences.js';
import * as standing from './shared/standing.js';
import { lasting, toEnd, usePanel, useStory, uuid } from './shared/store.js';
import { received } from './shared/story.js';
import * as train from './shared/train.js';
import { drawTree } from './shared/tree.js';
import * as walk from './shared/walk.js';

export const inkling = {
  ...{ lasting, toEnd, useStory, usePanel, uuid, received },
  ...{
    drawCurve,
    drawFacts,
    drawLeftOver,
    clicked,
    drawLook,
    drawPassages,
    drawRow,
    drawTree,
    landmarks,
    selectedWords,
    stepsOf,
    watchMargin,
    REDRAWN,
    RETRY,
  },
  ...{ branches, cards, compare, composer, counts, desk, files, keys, machine, numbers, panel, places, sentences },
  ...{ aloud, beside, ghost, listen, look, standing, train, walk },
};

window.inkling = inkling;
// Before Chainlit's page is drawn, so that nothing jumps.
look.keepLook();
desk.watch();
watchCopies();
watchNames();
walk.watchFocus();
