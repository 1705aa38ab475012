// What the panels ask, and are answered; with payloads.d.ts, one namespace.

declare namespace Page {
  /** A token of the vocabulary with its chance before and after the samplers; a server does not tell the second. */
  interface Chance {
    id: number;
    text: string;
    raw_probability: number;
    probability: number | null;
  }

  /** One token of the story, and what else might have stood there, best first. `entropy` is in nats. */
  interface TokenDice extends Chance {
    entropy: number | null;
    moved: boolean;
    top: Chance[];
  }

  interface Dice {
    model: string;
    after: string;
    /** Whether each token is a character. */
    characters: boolean;
    settings: { name: string; label: string; value: number; shown: string }[];
    top: Chance[];
    /** Nats, before and after the samplers; a server tells only the likeliest tokens, so none of the four. */
    raw_entropy: number | null;
    entropy: number | null;
    kept: number | null;
    vocab_size: number | null;
  }

  interface Preset {
    name: string;
    about: string;
    own: boolean;
    settings: Record<string, string>;
  }

  /** A setting with its range; `value` as text, `by` whom it was decided, in words. */
  interface Field {
    name: string;
    label: string;
    about: string;
    range: string;
    value: string;
    by: string;
    off: number | boolean | null;
    kind: 'number' | 'whole number' | 'strings' | 'switch';
    slider: { low: number; high: number; step: number } | null;
  }

  /** Losses in nats per token: [step, loss] in the order of the steps. */
  interface Curve {
    train: [number, number][];
    valid: [number, number][];
  }

  interface SavedStep {
    key: string;
    version: string;
    step: number;
    val_loss: number | null;
    /** Sentences on how far the model is. */
    says: string[];
  }

  interface Run {
    key: string;
    starters: string[];
    temperature: number;
    window: number;
    length: number;
    steps: SavedStep[];
    curve: Curve;
  }

  /** Nulls stand for what is not known. `unit` is what its tokens are. */
  interface ModelLine {
    key: string;
    parameters: number | null;
    val_bpb: number | null;
    /** The text that `val_bpb` was taken on; models with the same `id` can be compared by it. */
    judged: { name: string; id: string } | null;
    date: string | null;
    unit: string | null;
  }

  interface ModelCard {
    key: string;
    facts: [string, string][];
    commands: string[];
    text: string;
    curve: Curve;
    /** A data URL. */
    picture: string | null;
  }

  /** A place on the scale from noise to the best, in bits per byte. */
  interface Mark {
    kind: 'noise' | 'table' | 'model';
    label: string;
    bits: number;
  }

  /** Where a model stands, in words, and the one thing that would help it most. */
  interface Standing {
    model: string;
    level: 'unknown' | 'unplaced' | 'noise' | 'begun' | 'common' | 'table' | 'level' | 'beyond';
    where: string;
    /** What it can write there; "" where nobody knows. */
    expect: string;
    /** From the most bits to the fewest; empty where too little is known. */
    scale: Mark[];
    note: string;
    /** `panel`: the one that does it; "" for none. */
    advice: {
      kind: 'temperature' | 'measure' | 'steps' | 'rate' | 'text' | 'smaller' | 'larger';
      text: string;
      panel: 'train' | 'tune' | '';
    };
  }

  interface Training {
    key: string;
    title: string;
    state: 'training' | 'paused' | 'stopped' | 'done' | 'broken';
    step: number;
    steps: number;
    elapsed_s: number;
    left_s: number | null;
    /** Tokens a second. */
    rate: number | null;
    train: Curve['train'];
    valid: Curve['valid'];
    sample: { step: number; text: string } | null;
    /** Whether there are weights to write with. */
    model: boolean;
    /** Whether everybody who comes in may write with it. */
    shared: boolean;
    why: string | null;
  }

  interface TrainingPlan {
    steps: number;
    seconds: number;
    parameters: number;
    tokens: number;
    passes: number;
    /** The model it goes on from; "" for none. */
    source: string;
    language: TextLanguage | null;
  }

  /** Whether a model knows the language of a text. */
  interface TextLanguage {
    model: string;
    /** Bits per byte of a passage that it has not read; null where it cannot read it. */
    bpb: number | null;
    /** The same for somebody who knows but the letters of the passage. */
    letters_bpb: number;
    known: boolean;
    /** Whether the text is so short that a model which knows its language should go on from there. */
    little: boolean;
  }

  interface Copied {
    model: string;
    words: number;
    /** The share of words that stand in no copied run, 0 to 1. */
    new: number;
    copied_words: number;
    source_words: number;
    pieces: ['new' | 'copied' | 'longest', string][];
    longest: { words: number; before: string; quote: string; after: string } | null;
    /**
     * Where only the hashes of every `run_words` words in a row are here: then the three texts of `longest` are "", of
     * `one_in` places where nothing is copied one is marked, and `command` brings the text.
     */
    hashed: { run_words: number; one_in: number; command: string } | null;
  }

  /** The text that a model learnt from is not on this machine; `command` brings it. */
  interface NotHere {
    missing: { why: string; command: string };
  }

  /** One of the ways on from a fork; `words` are its first that no other one here has, in one line. */
  interface Branch {
    /** Id of its first passage, by which it is shown (the act "pick"), named and deleted. */
    passage: string;
    /** The writer's; "" for none. */
    name: string;
    words: string;
    /** It has no words of its own, `words` are its last ones: another branch goes on where it ends. */
    ends: boolean;
    /** In words. */
    length: number;
    /** Seconds since 1970; null where nobody knows. */
    written_s: number | null;
    shown: boolean;
    /** Where it forks on: the `at` of that fork; null where it does not. */
    fork: string | null;
  }

  /** A place where the story goes on in several ways. */
  interface Fork {
    /** Id of the passage before it; null where the story begins in several ways. */
    at: string | null;
    /** The last words before it. */
    after: string;
    on_path: boolean;
    branches: Branch[];
    /** So many of its branches are not among them. */
    left_out: number;
  }

  /** In the order that they are read in; `left_out`: so many forks are not among them. */
  interface Branches {
    forks: Fork[];
    left_out: number;
  }

  /** Rounds won, lost and level; the share won, and between which bounds the true one lies. */
  interface VoteRecord {
    wins: number;
    losses: number;
    ties: number;
    rate: number;
    low: number;
    high: number;
  }

  interface Votes {
    count: number;
    pairs: (VoteRecord & { first: string; second: string; words: string })[];
    contestants: (VoteRecord & { name: string })[];
  }

  interface CompareSetting {
    name: string;
    label: string;
    about: string;
    range: string;
    set: string[];
  }

  /** "story_query", which changes nothing: the answer to each; an answer may be {error} instead. */
  interface Queries {
    branches: Branches;
    card: ModelCard;
    /** `unread`: for each of the models that were asked for why it cannot read the story; "" where it can. */
    compare: { presets: Preset[]; settings: CompareSetting[]; unread: string[] };
    /** Tokens of memory, note and story, and of the `window`, of which memory and note may have `most`; `about`: these
     *  are estimates. */
    context: {
      memory: number;
      note: number;
      story: number;
      window: number;
      most: number;
      about: boolean;
      said: string;
    };
    copied: Copied | NotHere;
    dice: Dice;
    /** Start and end of each place in the text, in UTF-16 units, one after the other; of very many the first. */
    find: { count: number; places: number[]; revision: number };
    /** "" where nothing can be said now. */
    ghost: { text: string };
    models: { models: ModelLine[] };
    runs: { runs: Run[] };
    standing: Standing;
    token: TokenDice;
    /** `others`: whether somebody else may come in, to share with. */
    training: { runs: Training[]; others: boolean };
    tune: { fields: Field[]; presets: Preset[] };
    votes: Votes;
    votes_csv: { name: string; text: string };
  }

  /** What a page sends with each query. */
  interface QueryRequests {
    branches: unknown;
    card: { model: string };
    compare: { models: string[] };
    context: Context & { model?: string | null };
    copied: { passage: string };
    dice: { model?: string | null; words: string; settings: Record<string, number> };
    find: { find: string; match_case: boolean; whole_words: boolean };
    /** Without `words` nothing is wanted any more. */
    ghost: { words?: string; model?: string | null };
    models: unknown;
    runs: unknown;
    standing: { model: string };
    token: { passage: string; at: number };
    training: unknown;
    tune: { passage: string } | { model?: string | null };
    votes: unknown;
    votes_csv: unknown;
  }

  /** "story_command", which changes something beside the story: the answer to each, or {error}. */
  interface Commands {
    training_halt: Record<string, never>;
    training_plan: TrainingPlan;
    training_resume: Record<string, never>;
    training_share: Record<string, never>;
    training_start: { key: string };
    /** What the file holds, with its last piece; before that, nothing. */
    training_text: { name: string; bytes: number; words: number; characters: number } | Record<string, never>;
    votes_forget: { forgotten: number };
  }

  /** What a page sends with each command. */
  interface CommandRequests {
    training_halt: { key: string; for_good?: boolean };
    training_plan: { source: string; propose?: boolean };
    training_resume: { key: string };
    training_share: { key: string; shared: boolean };
    training_start: unknown;
    training_text: Piece;
    votes_forget: unknown;
  }
}
