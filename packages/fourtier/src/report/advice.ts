/** What a person can do next, from the figures of a run: each piece names the counts that it rests on. */

import { groupBy, plural } from "@fourtier/core"
import { titleOf } from "@fourtier/core/model"
import type { EvaluationResults, MethodSummary, SplitSummary } from "../evaluate/results.ts"
import type { Inspection } from "../experiment/inspection.ts"
import type { About } from "./run-files.ts"

export interface Advice {
  /** What it is about, for the order and the mark beside it. */
  about: "labels" | "classes" | "words" | "model" | "test" | "data"
  /** What was seen. */
  seen: string
  /** What to do. */
  todo: string
  /** Clips to look at. */
  clips: string[]
}

/** A tested clip as advice sees it. */
export interface TestedClip {
  split: string
  clip: string
  label: number
  said: number
  /** Columns of its table and its group. */
  columns: Readonly<Record<string, string>>
}

export interface AdviceInput {
  results: EvaluationResults
  tested: readonly TestedClip[]
  about: About | null
  inspection: Inspection | null
}

/** Pieces of each kind, at most. */
const MOST = 4
/** Mistakes between two classes from which they are worth a word: so many, and this share of the class. */
const LEAST_CONFUSED = 2
const LEAST_SHARE = 0.1
/** Probabilities that are this much higher than what is right are no probabilities. */
const OVERCONFIDENT = 0.1
/** Values of a column that may tell where mistakes are. */
const MOST_VALUES = 12

/** Advice on the first split of the report, the most useful first. */
export function adviceFor({ results, tested, about, inspection }: AdviceInput): Advice[] {
  const [split] = results.splits
  if (!split) return []
  const own = split.methods.find(({ method }) => method === results.reference)
  if (!own) return []
  const clips = tested.filter((clip) => clip.split === split.split)
  return [
    ...doubted(inspection),
    ...confused(split, own, clips, about),
    ...pseudoLabels(results),
    ...baselines(split, own, results.reference),
    ...words(split, results, about),
    ...calibration(own, clips),
    ...testSize(split, own, results.level),
  ]
}

function doubted(inspection: Inspection | null): Advice[] {
  const found = inspection?.doubts?.found ?? []
  if (found.length === 0) return []
  return [
    {
      about: "labels",
      seen: `${plural(found.length, "label")} of ${inspection?.doubts?.clips} ${found.length === 1 ? "is" : "are"} doubted by what the clip looks like and by what the answers say of it, neither of which has seen the label.`,
      todo: "Look at these clips before anything else, and correct the labels that are wrong: a wrong label costs twice, in training and in the test.",
      clips: found.slice(0, 12).map(({ clip }) => clip),
    },
  ]
}

/** Pairs of classes that are taken for each other, with where it happens. */
function confused(
  { classes }: SplitSummary,
  { confusion, seeds }: MethodSummary,
  tested: readonly TestedClip[],
  about: About | null,
): Advice[] {
  const runs = Math.max(1, seeds.length)
  const pairs = classes.flatMap((_, a) =>
    classes.slice(a + 1).map((_, k) => {
      const b = a + 1 + k
      const total = [a, b].reduce((sum, c) => sum + confusion[c].reduce((row, count) => row + count, 0), 0)
      return { a, b, there: confusion[a][b], back: confusion[b][a], total }
    }),
  )
  const wrong = (pair: (typeof pairs)[number]) => pair.there + pair.back
  return pairs
    .filter((pair) => wrong(pair) >= LEAST_CONFUSED * runs && wrong(pair) >= LEAST_SHARE * pair.total)
    .sort((x, y) => wrong(y) - wrong(x))
    .slice(0, MOST)
    .map((pair): Advice => {
      const [from, to] = pair.there >= pair.back ? [pair.a, pair.b] : [pair.b, pair.a]
      const [most, least] = [Math.max(pair.there, pair.back), Math.min(pair.there, pair.back)]
      const mistakes = tested.filter(
        ({ label, said }) => (label === from && said === to) || (label === to && said === from),
      )
      const both = tested.filter(({ label }) => label === from || label === to)
      const place = whereMistakesAre(mistakes, both)
      const ofClass = confusion[from].reduce((sum, count) => sum + count, 0)
      const back =
        least > 0 ? `, and the other way round ${least} of ${confusion[to].reduce((sum, count) => sum + count, 0)}` : ""
      const trained = labelsOf(about, [classes[from], classes[to]])
      return {
        about: "classes",
        seen: `${classes[from]} is taken for ${classes[to]} in ${most} of ${ofClass} tests${back}.${place ? ` ${place.text}` : ""}`,
        todo: `Label more clips of ${classes[from]} and ${classes[to]}${place ? ` like those with ${place.value}` : ""}${trained}. Where key frames cannot tell them apart, ask about motion (\`--set prompts=motion\`), or give each class a sentence in \`classes\`.`,
        clips: [...new Set(mistakes.map(({ clip }) => clip))].slice(0, 12),
      }
    })
}

function labelsOf(about: About | null, names: readonly string[]): string {
  const [first] = about?.splits ?? []
  if (!first) return ""
  const limit = about?.labelsPerClass ?? Number.POSITIVE_INFINITY
  return ` (trained on ${names.map((name) => Math.min(limit, first.train.classes[name] ?? 0)).join(" and ")} labels)`
}

/** A column of which one value holds most of the mistakes, but not most of the clips. */
function whereMistakesAre(
  mistakes: readonly TestedClip[],
  all: readonly TestedClip[],
): { text: string; value: string } | null {
  if (mistakes.length < 4) return null
  const names = new Set(all.flatMap(({ columns }) => Object.keys(columns)))
  const found = [...names].flatMap((name) => {
    const counts = groupBy(all, ({ columns }) => columns[name] ?? "")
    if (counts.size < 2 || counts.size > MOST_VALUES) return []
    const [value, most] = [...groupBy(mistakes, ({ columns }) => columns[name] ?? "")]
      .map(([value, own]) => [value, own.length] as const)
      .sort((a, b) => b[1] - a[1])[0]
    const [inMistakes, inAll] = [most / mistakes.length, (counts.get(value)?.length ?? 0) / all.length]
    if (value === "" || inMistakes < 0.7 || inMistakes < inAll + 0.2) return []
    return [
      {
        text: `${most} of these ${mistakes.length} mistakes have ${name} ${value}.`,
        value: `${name} ${value}`,
        gain: inMistakes - inAll,
      },
    ]
  })
  return found.sort((a, b) => b.gain - a.gain)[0] ?? null
}

function pseudoLabels({ pseudoLabels }: EvaluationResults): Advice[] {
  const refused = pseudoLabels.find(({ answers, evidence }) => answers === "" && !evidence.accepted)
  if (!refused) return []
  return [
    {
      about: "labels",
      seen: `The answers' guesses of the classes of ${plural(refused.clips, "clip")} were not trusted, so that these clips taught stage 1 alone.`,
      todo: `About ${plural(refused.evidence.labelsWanted, "label")} more would decide it: \`fourtier suggest\` names the clips that tell most.`,
      clips: [],
    },
  ]
}

/** Whether something simpler is as good. */
function baselines({ methods }: SplitSummary, own: MethodSummary, reference: string): Advice[] {
  const simple = ["linear-probe", "row-probe", "attentive-probe", "baseline"]
  const better = methods
    .filter(({ method, difference }) => simple.includes(method) && (difference?.top1?.high ?? 1) < 0)
    .sort((a, b) => (b.figures.top1?.value ?? 0) - (a.figures.top1?.value ?? 0))[0]
  if (!better || own.method === better.method) return []
  return [
    {
      about: "model",
      seen: `${better.method} is better than ${reference} by ${points(-(better.difference?.top1?.value ?? 0))} points, and that is more than chance.`,
      todo: `Ship ${better.method} (\`--set methods=[${better.method}]\`), and look at the answers: they seem to mislead.`,
      clips: [],
    },
  ]
}

function words({ methods }: SplitSummary, { reference, retrieval }: EvaluationResults, about: About | null): Advice[] {
  const difference = methods.find(({ method }) => method === titleOf("full-shuffled"))?.difference?.top1
  const found: Advice[] = []
  if (difference && reference === titleOf("full") && (difference.low <= 0 || difference.p >= 0.05)) {
    found.push({
      about: "words",
      seen: `What the words add, ${signed(difference.value)} points [${signed(difference.low)}, ${signed(difference.high)}], may be chance.`,
      todo:
        about?.labelsPerClass === null
          ? "With this many labels words add little. They pay where labels are few: try `--set labelsPerClass=1` to see what fewer labels would have done."
          : "Test on more clips or groups, or use answers of a stronger vision-language model.",
      clips: [],
    })
  }
  const own = retrieval.filter(({ answers }) => answers === "")
  const prompts = [...new Set(own.flatMap(({ prompts }) => Object.keys(prompts)))]
  const mute = prompts.filter((prompt) => {
    const z = own.flatMap(({ prompts }) => prompts[prompt]?.z ?? [])
    return z.length > 0 && z.every((value) => value < 3)
  })
  if (mute.length > 0) {
    found.push({
      about: "words",
      seen: `Clips do not find their own answers to ${mute.map((prompt) => `prompt ${prompt}`).join(" and ")} better than chance.`,
      todo: "Leave these prompts out, or word them so that the answers say what tells clips apart (docs/describe.md).",
      clips: [],
    })
  }
  return found
}

function calibration({ calibrated, figures, ...own }: MethodSummary, tested: readonly TestedClip[]): Advice[] {
  const { calibrationError, calibrationErrorByChance } = calibrated ?? own
  if (calibrationError - calibrationErrorByChance < OVERCONFIDENT || tested.length < 50) return []
  return [
    {
      about: "model",
      seen: `Probabilities are off by ${points(calibrationError)} points on average, while ${points(figures.top1?.value ?? 0)} % of the clips are right.`,
      todo: "Do not read them as odds: choose a threshold on labelled clips of your own before acting on them.",
      clips: [],
    },
  ]
}

function testSize({ clips, groups }: SplitSummary, { figures }: MethodSummary, level: number): Advice[] {
  const top1 = figures.top1
  if (!top1 || top1.high - top1.low < 0.1) return []
  const drawn = groups === null ? plural(clips, "clip") : `${plural(clips, "clip")} of ${plural(groups, "group")}`
  return [
    {
      about: "test",
      seen: `${drawn} test the model, so its accuracy is only known to lie between ${points(top1.low)} and ${points(top1.high)} % (${points(level)} % interval).`,
      todo: `Label more test clips${groups === null ? "" : " of further groups"}, or use folds (\`--folds\`), in which every clip is tested once.`,
      clips: [],
    },
  ]
}

const points = (share: number) => (100 * share).toFixed(1).replace(/\.0$/, "")
const signed = (share: number) => `${share > 0 ? "+" : share < 0 ? "−" : ""}${points(Math.abs(share))}`
