/// <reference path="panel_payloads.d.ts" />

// What crosses between the server and the page. tests/page/test_payloads.py holds it against what the server really
// sends and takes, in both directions: a key that is missing, added or of another type on one side is an error.

declare namespace Page {
  /** How a passage came to be, ready to be shown. `seed` is text: a browser's numbers are exact only to 2^53. */
  interface Facts {
    model: string | null;
    settings: { name: string; label: string; value: string }[];
    seed: string | null;
    tokens: number;
    /** Tokens a second. */
    rate: number | null;
    /** How it came to its end, in words; null while it is written. */
    ending: string | null;
    /** Whether the words before it were changed since. */
    moved: boolean;
    /** What computed its tokens: "numba bfloat16"; null where it was not kept. */
    core: string | null;
  }

  /** A turn of the story, or one of several takes. */
  interface Passage {
    id: string;
    /** Its place among its alternatives, from 1, of so many `places`. */
    place: number;
    places: number;
    author: 'writer' | 'model' | 'edited';
    /** Its text in pieces. */
    tokens: string[];
    /** Where it was edited, which of the pieces are the writer's; null where nobody knows, or all are of one. */
    own: number[] | null;
    /** For each token how likely the model held it (0 to 1); null where nobody knows. An edit keeps the first ones. */
    odds: (number | null)[];
    facts: Facts | null;
    finish: string | null;
  }

  /** One of several passages side by side. While nobody may know who wrote it, it has neither facts nor odds. */
  interface Take extends Omit<Passage, 'odds' | 'own'> {
    own?: number[] | null;
    odds?: (number | null)[];
    /** What tells it from the others; "" where only the dice do. */
    label: string;
  }

  /** What the model sees of the story, in tokens; `unseen` in UTF-16 units of its text. */
  interface Meter {
    used: number;
    window: number;
    story: number;
    /** Tokens beside the story, which are among `used`. */
    memory: number;
    note: number;
    unseen: number;
    /** The tokens are an estimate: the model's own are with its server. */
    about: boolean;
  }

  /** What the model reads beside the story: memory first, the author's note before its last `depth` paragraphs. */
  interface Context {
    memory: string;
    note: string;
    depth: number;
  }

  /** "story_state": everything. */
  interface StoryState {
    story: string;
    /** A tag of BCP 47; "" where it is not known. */
    language: string;
    /** The last one has a label where it is being written. */
    passages: (Passage & { label?: string })[];
    takes: Take[];
    ended: boolean;
    /** Whether there is no sentence to be finished. */
    whole: boolean;
    contest: { blind: boolean; waits: boolean; said: string } | null;
    revision: number;
    /** `remote`: it runs on a server of another program. */
    models: { key: string; summary: string; starters: string[]; remote: boolean }[];
    /** The one that is picked. */
    model: string | null;
    tuning: {
      preset: string;
      chosen: Record<string, string>;
      once: { name: string; label: string; value: string }[];
      changes: number;
    };
    context: Context;
    meter: Meter | null;
    /** So many steps can be taken back, and done again. */
    undo: number;
    redo: number;
    status: string;
    writing: boolean;
    /** Why the story is not saved, and what follows, in sentences; "" where nothing is wrong. */
    unsaved: string;
  }

  /** "story_delta": tokens `from` a place on of the `passage` that is being written. */
  interface StoryDelta {
    revision: number;
    passage: string;
    from: number;
    tokens: string[];
    odds: (number | null)[];
    meter: Meter | null;
  }

  /** The events that the server sends, each with its data. */
  interface Events {
    story_state: StoryState;
    story_delta: StoryDelta;
    story_status: { status: string; writing: boolean };
    story_meter: { meter: Meter | null };
    story_help: { commands: { usage: string; about: string }[] };
    story_leave: Record<string, never>;
    /** Why the story is not saved, and what follows, in sentences; "" once it is. */
    story_kept: { unsaved: string };
    story_refused: { words: string; why: string };
    /** A piece of a file: its text, or its bytes in base64. */
    story_file: { name: string; type: string; part: number; of: number; text: string; base64?: boolean };
    /** left_out: what of a book is no text, in words; "" for nothing. */
    story_opened: { thread: string; left_out: string };
    machine_news: MachineNews;
  }

  /** What the time machine hears of a `job`: more `text` of a `step`, how it ended, or that something failed. */
  interface MachineNews {
    job: string;
    step?: string;
    waits?: boolean;
    text?: string;
    ending?: string;
    tokens?: number;
    words?: number;
    known?: number;
    error?: string;
    over?: boolean;
  }

  /** A part of a text file, from 0, of so many. */
  interface Piece {
    name: string;
    part: number;
    of: number;
    text: string;
  }

  /** Settings by name, as a form gives them. */
  type Settings = Record<string, string | number>;

  /** "story_act": a change of the story, or of the settings, that needs no model. */
  type Act =
    | { act: 'undo' | 'redo' }
    | { act: 'edit'; passage: string; text: string; rest?: boolean }
    | { act: 'add'; text: string }
    /** All places, or the one that begins `at` (UTF-16 units of the story's text). */
    | { act: 'replace'; find: string; text: string; match_case: boolean; whole_words: boolean; at?: number }
    | { act: 'branch'; passage: string }
    | { act: 'cut'; passage: string; tokens: number }
    | { act: 'step'; passage: string; by: number }
    | { act: 'pick'; passage: string }
    | { act: 'name_branch'; passage: string; name: string }
    | { act: 'delete_branch'; passage: string }
    | { act: 'vote'; choice: 'a' | 'b' | 'tie' }
    | { act: 'reveal' }
    | { act: 'once'; settings: Settings }
    | ({ act: 'context' } & Context)
    | { act: 'preset'; name: string }
    | { act: 'preset_keep'; name: string; settings: Settings }
    | { act: 'preset_forget'; name: string };

  /** What a button asks of the model; it goes beside a message, for only a message has a Stop. */
  type Ask =
    | { ask: 'continue'; words?: string; takes?: number; settings?: Settings }
    | { ask: 'retry'; passage: string; takes?: number; settings?: Settings }
    | { ask: 'finish' }
    | { ask: 'ladder' }
    | { ask: 'again'; passage: string }
    | { ask: 'fork'; passage: string; at: number; token: number }
    | { ask: 'compare'; contestants: { model: string; settings: Settings }[]; blind: boolean; words: string };
}
