/** Every text of the page. */

const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`

interface Cost {
  calls: number
  tokens: number
  dollars: number | null
}

export const text = {
  name: "fourtier studio",
  inThisBrowser: "in this browser",
  skip: "Skip to the content",
  screens: { collect: "Collect", describe: "Describe", train: "Train", look: "Look", use: "Use" },
  theme: { label: "Colours", auto: "As the system", light: "Light", dark: "Dark" },
  close: "Close",
  failed: "That did not work",
  undo: "Undo",
  undone: "Undone",
  starting: "One moment …",
  cannotStart: "The studio cannot start here",
  openElsewhere: "It is open in another window: close that one, then load this page again.",
  needs:
    "It needs a browser with WebCodecs and private files (OPFS): Chrome or Edge from 102, Firefox from 130, Safari from 26; and an address that begins with https, or localhost.",

  // collect
  classes: "Classes",
  addClass: "Add a class",
  addClassHint: "Name of a class",
  add: "Add",
  rename: "Rename",
  removeClass: "Remove the class",
  allClips: "All clips",
  noneHint:
    "A class called none is for clips of nothing to be named: with some, the recogniser can say that it does not know.",
  noClass: "No class yet",
  setAside: "Set aside",
  removed: "Removed",
  record: "Record",
  addFiles: "Add files",
  addFolder: "Add a folder",
  search: "Search clips",
  keysHint:
    "Click clips to select them, then press 1 to 9 to give them a class, Delete to remove them, Ctrl+Z to undo.",
  emptyTitle: "Teach it what to see",
  emptyBody:
    "Name two classes or more, then record ten short clips of each, or drop files here: a folder inside a folder gives its clips its name as their class.",
  staysHere: { page: "Nothing leaves this browser.", server: "Clips are kept in the data folder of the server." },
  nothingHere: "No clips here.",
  drop: "Drop videos or folders",
  clips: (n: number) => count(n, "clip"),
  selected: (n: number) => `${n} selected`,
  labelAs: "Class:",
  remove: "Remove",
  restore: "Restore",
  erase: "Delete for good",
  erased: (n: number) => `${count(n, "clip")} deleted for good`,
  exportClips: "Download the clips (.zip)",
  exportHint: "A folder with a table, as fourtier run takes it, and as Add a folder does.",
  clearSelection: "Clear",
  cut: "Cut",
  measuring: "being read …",
  measuringClips: (done: number, all: number) => `Reading ${done} of ${all}`,
  tooLargeZip: "more than 4 GB do not fit into a .zip: save it as a folder, in Chrome or Edge, or remove clips",
  answersTaken: (n: number, unknown: number) =>
    `${count(n, "answer")} taken in${unknown > 0 ? `, ${unknown} left out: about clips that are not here` : ""}`,
  answersNowhere: "clips are not described here",
  seconds: (s: number) => `${s.toFixed(1)} s`,
  taking: (done: number, all: number) => `Taking in ${done} of ${all}`,
  notVideos: (n: number) => `${count(n, "file")} left out: neither videos nor tables of clips or answers`,
  labelled: (n: number, name: string) => `${count(n, "clip")}: ${name}`,
  removedClips: (n: number) => `${count(n, "clip")} removed`,
  restoredClips: (n: number) => `${count(n, "clip")} restored`,
  nothingRecorded: "nothing was recorded",
  noBundle: "there is no recogniser yet",
  fileGone: "the file of this clip is gone",

  // record
  recordTitle: "Record clips",
  recordClass: "Class",
  recordLength: "Seconds a clip",
  recordTakes: "Clips in a row",
  recordCountdown: "Countdown",
  recordStart: "Start",
  recordStop: "Stop",
  recordReady: (takes: number, seconds: number) => `${count(takes, "clip")} of ${seconds} s, one after another.`,
  recordNow: (take: number, takes: number) => `Recording ${take} of ${takes}`,
  recordSoon: "Get ready",
  recordDone: (n: number) => `${count(n, "clip")} recorded.`,
  recordAdvice: "Move about, step nearer and away, change the light: clips that differ teach more.",
  noCamera: "The camera cannot be used",
  noCameraFix: "Allow this page to use the camera in the address bar, or add files instead.",

  // cut
  cutTitle: "Cut clips out",
  cutHint:
    "Space plays; ← → go by a frame, with Shift by a second; I and O mark start and end; 1 to 9 cut the stretch out as that class.",
  cutIn: "Start (I)",
  cutOut: "End (O)",
  cutStretch: (from: number, to: number) => `${from.toFixed(2)} s to ${to.toFixed(2)} s`,
  cutNone: "Mark a start and an end.",
  cutAs: "Cut out as",
  cutMade: (n: number) => `${count(n, "clip")} cut out`,
  position: "Position",
  play: "Play",
  pause: "Pause",

  // train
  trainTitle: "Train a recogniser",
  trainNeeds: "Two classes with clips are needed: collect some first.",
  trainFew: "Ten clips of a class are a good start. With fewer, what it learns is not measured well.",
  train: "Train",
  trainAgain: "Train again",
  goOn: "Go on",
  stop: "Stop",
  trainSummary: (clips: number, classes: number, none: number) =>
    `${count(clips, "clip")} in ${count(classes, "class", "classes")}${none > 0 ? `, and ${none} of none of them` : ""}`,
  unlabelled: (n: number) =>
    `${count(n, "clip")} without a class ${n === 1 ? "teaches" : "teach"} it nothing: once it is trained, Look shows what it takes ${n === 1 ? "it" : "them"} for.`,
  trainSteps: [
    "Look at every clip with a frozen encoder",
    "Train a network on all of them: it can be tried at once",
    "Train it again without some of the clips, which then test it",
  ],
  left: (s: number) => `about ${duration(s)} left`,
  took: (s: number) => `Trained and tested in ${duration(s)}.`,
  stopped: "Stopped. What was done is kept: go on where it was.",
  interrupted: "The training was interrupted. What was done is kept: go on where it was.",
  stage: (name: string) => {
    const [, method, part] = /^(.+), (all|fold \d+)$/.exec(name) ?? []
    if (method === undefined) return STAGES[name] ?? name
    if (part === "all") return "Training the recogniser"
    return `Testing ${method === "baseline" ? "it" : "a linear layer"}, round ${part.slice(5)}`
  },
  curve: "Loss",
  curveLabel: "Loss by update, falling while it learns",
  update: "update",
  single: "This page may use one core only: its host sends no cross-origin isolation headers. Training takes longer.",
  ready: "The recogniser is ready.",
  tryIt: "Try it",
  seeResult: "See how good it is",

  // look
  lookTitle: "How good it is",
  lookEmpty: "Nothing has been tested yet: train first.",
  lookNoFolds: "Each class needs two clips or more to be tested.",
  right: (right: number, all: number) => `${right} of ${all} clips right`,
  interval: (low: number, high: number) => `between ${percent(low)} and ${percent(high)}, 19 times out of 20`,
  wholeReport: "The whole report",
  testedBy: (how: string) => `Tested: ${how}.`,
  sameSession: "Clips that were recorded in one go resemble each other: on another day, in another place, expect less.",
  methods: "Compared with",
  methodNames: {
    baseline: "this recogniser",
    "linear probe": "linear layer alone",
    "linear-probe": "linear layer alone",
  } as Record<string, string>,
  chance: "always the largest class",
  confusion: "What is taken for what",
  confusionHint: "Rows are true classes, columns what it said. Choose a number to see its clips.",
  trueClass: "true class",
  mistakes: "Worst mistakes",
  noMistakes: "Not one clip was mistaken.",
  doubts: "Labels to look at again",
  doubtsNone: "It doubts no label.",
  doubt: (label: string, said: string, p: number) => `${label}? It says ${said}, ${percent(p)}.`,
  makeIt: (name: string) => `Make it ${name}`,
  cellClips: (truth: string, said: string) => `${truth} taken for ${said}`,
  cellRight: (truth: string) => `${truth}, right`,
  cell: (n: number, truth: string, said: string) => `${count(n, "clip")} of ${truth}, said ${said}`,

  // use
  useTitle: "Use it",
  useEmpty: "There is no recogniser yet: train first.",
  live: "Live",
  liveStart: "Start the camera",
  liveStop: "Stop the camera",
  liveWait: "Watching …",
  latency: (s: number, gpu: boolean) => `${Math.round(s * 1000)} ms after the last frame${gpu ? ", by WebGPU" : ""}`,
  unknown: "unknown",
  unsure: "unsure",
  liveOff: "The camera is off.",
  steady: "Steadier, a little slower",
  fileTitle: "A file",
  fileBody: "See what it says along a video.",
  fileChoose: "Choose a video",
  fileWorking: "Looking …",
  fileLane: (label: string, from: number, to: number) => `${label}, ${from.toFixed(1)} to ${to.toFixed(1)} s`,
  take: "Take it with you",
  takeBody: "The recogniser is a folder of four files that runs in a web page, in Node and in any ONNX Runtime.",
  download: "Download (.zip)",
  saveFolder: "Save as a folder",
  saved: "Saved.",
  inPage: "In a page",
  inNode: "In Node",
  copy: "Copy",
  copied: "Copied",
  copyByKey: "Press Ctrl+C or ⌘C",

  // describe
  describeTitle: "Describe",
  describeBody: "Each clip is described in four answers; the network learns from them beside the classes.",
  describeNobody: "No model is set up to be asked: answers can be written by hand.",
  describeDone: (done: number, all: number) => `${done} of ${count(all, "clip")} described`,
  describeEstimate: "What would it cost?",
  describeAsk: "Ask",
  describeCost: ({ calls, tokens, dollars }: Cost) =>
    `about ${count(calls, "call")}, ${tokens.toLocaleString("en")} tokens${dollars === null ? "" : `, $${dollars.toFixed(2)}`}`,
  describeOf: (all: string) => ` of ${all}`,
  describeSpent: ({ calls, tokens, dollars }: Cost) =>
    `${count(calls, "call")}, ${tokens.toLocaleString("en")} tokens${dollars === null ? "" : `, $${dollars.toFixed(2)}`} so far`,
  describeHere:
    "Each clip is described in four answers, by whom you say below or by hand. They go into the download of the clips, for fourtier run to learn from; training in this page does not use them.",
  endpoint: "Who is asked",
  endpointOf: (model: string, host: string) => `${model} at ${host}`,
  endpointUrl: "Address (OpenAI's protocol)",
  endpointModel: "Model",
  endpointKey: "Key, if it wants one",
  endpointUse: "Use it",
  endpointKept: "It is asked from now on, until this page is closed.",
  endpointNeeded: "enter who is to be asked first",
  endpointHint:
    "Key frames of the clips go to this address and nowhere else. The key is kept in this window alone: it is not stored, and gone when you close or reload the page. A model on your own machine has to allow this page (Ollama: OLLAMA_ORIGINS).",
  suggestions: "Clips that teach most",
  suggestKeys: "Y takes the guess, 1 to 9 give another class, N puts it off, Ctrl+Z takes it back.",
  noGuess: "What is it?",
  notNow: "Not now",
  ahead: "Next",
  guess: (label: string, p: string) => `${label}? ${p}`,
  stripOf: (name: string) => `Key frames of ${name}`,
  byHand: "written by hand",
  save: "Save",
  askAgain: "Ask again",
}

const STAGES: Record<string, string> = {
  start: "Getting ready",
  features: "Looking at the clips",
}

export function duration(s: number): string {
  if (s < 90) return `${Math.max(1, Math.round(s))} s`
  return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`
}

export const percent = (share: number) => `${Math.round(share * 100)} %`
