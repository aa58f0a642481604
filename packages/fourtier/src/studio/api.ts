/**
 * What the studio's page and its home say to each other. The page (`packages/studio`) imports this file and nothing else of
 * `fourtier`; `Home` in `packages/studio/src/home.ts` has the same in functions, once answered by the browser alone, once by these
 * addresses. Requests carry `authorization: Bearer TOKEN`; what only reads is answered to the cookie as well that the opened address has
 * set, since elements and `EventSource` set no headers. What fails answers with `Failure` and a status of 400 or above.
 *
 * | request | body | answer |
 * |---|---|---|
 * | `GET /api/state` | | `StudioState` |
 * | `GET /api/clips` | | `Clip[]`; `?look` looks through the folder again |
 * | `POST /api/clips?name=&label=` | the file, streamed | `Clip` |
 * | `POST /api/recordings?name=&label=` | | `OpenRecording`: a clip that grows while it is recorded |
 * | `POST /api/recordings/:id?at=` | what has come next, `at` bytes after the start | `{ bytes }`, all that have come |
 * | `POST /api/recordings/:id/end` | | `Clip` |
 * | `DELETE /api/recordings/:id` | | `{}`: what has come is thrown away |
 * | `PATCH /api/clips` | `ClipChange` | `Clip[]`, those changed |
 * | `POST /api/clips/:id/cut` | `Cut[]` | `Clip[]`, the new ones: stretches of the same file |
 * | `GET /api/clips/:id/media` | | the file, by ranges |
 * | `PUT /api/classes` | `string[]` | `string[]` |
 * | `GET /api/events` | | server-sent events, each with a `StudioEvent` as data |
 * | `POST /api/train` | `TrainSettings` | `Training` |
 * | `DELETE /api/train` | | `Training` |
 * | `GET /api/report` | | `StudioReport`, or null |
 * | `GET /api/bundle` | | `string[]`: names of its files, none before there is one |
 * | `GET /api/bundle/:name` | | the file |
 * | `GET /api/clips/:id/strip` | | JPEG |
 * | `GET /api/clips/:id/answers` | | `Answer[]` |
 * | `PUT /api/clips/:id/answers` | `Answer[]` | `Answer[]` |
 * | `POST /api/describe` | `DescribeRequest` | `Describing` |
 * | `DELETE /api/describe` | | `Describing` |
 * | `GET /api/suggest` | | `Suggestion[]` |
 */

/** What a server writes into its page: the JSON of `<script type="application/json" id="home">`. No such element: no server. */
export interface Bootstrap {
  kind: "server"
  token: string
}

export type Part = "train" | "val" | "test"

export interface Clip {
  /** Letters, digits, `-` and `_` alone: it stands in addresses and file names. */
  id: string
  /** The file's name, as the person knows it. */
  name: string
  /** Null: no class yet. */
  label: string | null
  /** Null while it is being measured, or where it cannot be. */
  seconds: number | null
  /** The stretch of its file that it is, in seconds from the file's first frame; null: the file's start, its end. */
  start: number | null
  end: number | null
  width: number | null
  height: number | null
  bytes: number
  /** Why it is left out of training, in words; null: nothing is wrong. */
  problem: string | null
  /** In which part it was when it was last trained; null: it was not. */
  part: Part | null
  /** Milliseconds since 1970. */
  added: number
  /** Removed clips can be restored; they are in no training. */
  removed: boolean
}

/** A recording whose pieces come in. Nothing comes for five seconds: it becomes a clip as it is. */
export interface OpenRecording {
  id: string
}

/** A change of several clips; what is absent stays. */
export interface ClipChange {
  ids: string[]
  label?: string | null
  removed?: boolean
}

/** A stretch of a clip to be a clip of its own, in seconds from the clip's start. */
export interface Cut {
  start: number
  end: number
  label: string | null
}

export interface StudioState {
  /** What the data is called: a folder, or "in this browser". */
  title: string
  /** Classes in the order of their keys 1 to 9, those without clips included. */
  classes: string[]
  training: Training
  /** Whether there is a report, and a bundle. */
  report: boolean
  bundle: boolean
  /** Null: clips are not described here. */
  describe: Describing | null
  /** Files that are being looked through, and how many are; null: none, or it is not told. */
  measuring?: { done: number; total: number } | null
}

export interface TrainSettings {
  /** Passes over the clips of stage 2; null: as the home thinks right. */
  epochs: number | null
  /** Goes on from where it was stopped. */
  resume: boolean
}

/** Where training stands. */
export interface Training {
  /** Stopped by a person, or interrupted by the end of what it ran in: it can be gone on with after either. */
  status: "idle" | "running" | "stopped" | "interrupted" | "done" | "failed"
  /** What is being done, in words: "features". */
  stage: string
  /** Steps of this stage done, and all of them; 0: not known. */
  done: number
  total: number
  /** Seconds left of all that is to do; null: not known. */
  left: number | null
  /** Seconds since it began. */
  seconds: number
  /** What went wrong: the lines of a FourtierError. */
  error: string | null
  curves: CurvePoint[]
}

/** Nothing has been trained. */
export const IDLE: Training = {
  status: "idle",
  stage: "",
  done: 0,
  total: 0,
  left: null,
  seconds: 0,
  error: null,
  curves: [],
}

/** One point of the curves that are shown while it trains. */
export interface CurvePoint {
  /** What is trained: "full", "baseline", "linear probe". */
  method: string
  part: "train" | "val"
  step: number
  steps: number
  loss: number
  top1: number | null
}

export interface MethodFigure {
  method: string
  /** Share of held-out clips that it is right about, with a 95 % interval. */
  top1: number
  low: number
  high: number
}

export interface StudioPrediction {
  clip: string
  /** Places in `classes`. */
  label: number
  /** Of each class. */
  probabilities: number[]
}

/** What a training came to. */
export interface StudioReport {
  /** Milliseconds since 1970. */
  made: number
  classes: string[]
  /** How it was tested, in words: "each clip once, by a network that had not seen it (5 folds)". */
  tested: string
  trained: number
  heldOut: number
  /** The first is what is shipped; the others are what it is compared with. */
  methods: MethodFigure[]
  /** Of the held-out clips, by the first method. */
  predictions: StudioPrediction[]
  /** Clips whose label the network doubts, the most doubtful first. */
  doubts: { clip: string; said: string; probability: number }[]
  seconds: number
  /** Address of a whole report, where the home writes one. */
  page: string | null
}

/** One prompt's answer about one clip. */
export interface Answer {
  /** "A": category; "B": components; "C": description; "D": context. */
  prompt: string
  text: string
  /** Whether a person wrote or changed it. */
  byHand: boolean
  /** What is doubtful about it; empty: nothing. */
  flags: string[]
  /** Whose it is, where the home tells. */
  model?: string
}

export interface DescribeRequest {
  /** Default: every clip without answers. */
  ids?: string[]
  /** Asks nothing: only says what it would cost. */
  estimateOnly?: boolean
  /** Asks about these clips anew although they have answers. */
  again?: boolean
}

export interface Describing {
  status: "idle" | "running" | "stopped" | "done" | "failed"
  /** Empty: nobody can be asked, answers are written by hand. */
  model: string
  prompts: { id: string; text: string }[]
  /** Clips with answers, and all that are to have some. */
  done: number
  total: number
  /** What was spent, and what all of it is expected to be; null: not known. */
  spent: { calls: number; tokens: number; dollars: number | null }
  expected: { calls: number; tokens: number; dollars: number | null } | null
  error: string | null
}

/** A clip without a label, the one that teaches most first. */
export interface Suggestion {
  clip: string
  label: string
  probability: number
}

export type StudioEvent =
  | { kind: "clips"; clips: Clip[] }
  | { kind: "classes"; classes: string[] }
  | { kind: "training"; training: Omit<Training, "curves"> }
  | { kind: "curve"; points: CurvePoint[] }
  | { kind: "describing"; describing: Describing }
  | { kind: "answers"; clip: string }
  | { kind: "measuring"; measuring: StudioState["measuring"] }

/** Why a request failed, in the parts of a FourtierError. */
export interface Failure {
  where: string
  what: string
  expected?: string
  found?: string
  fix?: string
}
