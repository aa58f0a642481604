/** Nothing of validation and test clips reaches what is trained: neither their answers nor, for the test part, their maps. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import type { Prediction } from "@fourtier/core/metrics"
import type { Method } from "@fourtier/core/model"
import type { FeatureSet, FeatureSource } from "@fourtier/core/train"
import { liveSessions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { loadConfig } from "fourtier"
import {
  type Alignment,
  type AlignmentSpace,
  alignmentCard,
  type BackgroundFigures,
  drawLabelled,
  Experiment,
  type ExperimentSettings,
  judgeBackground,
  labelledOf,
  predictHeldOut,
  predictHeldOutBackground,
  Trial,
  type TrialResult,
} from "fourtier/experiment"
import type { Clip, Split } from "fourtier/video"
import { beforeAll, describe, expect, it } from "vitest"
import {
  makeFeatures,
  makeTexts,
  PROMPTS,
  SIZE,
  scratchFolder,
  TEXT_WIDTH,
} from "../../packages/core/tests/train/fixtures.ts"
import { runTrial } from "../../packages/fourtier/src/recipe.ts"

const folder = scratchFolder()
const CLASSES = ["a", "b", "c"]
const SEED = 3
let set: FeatureSet
let split: Split
beforeAll(async () => {
  set = await makeFeatures({ clips: 30 })
  const clips = set.examples.map(({ id, hash, label }): Clip => clipOf(id, hash, CLASSES[label]))
  split = {
    name: "one",
    training: "one",
    fold: false,
    train: clips.slice(0, 18),
    val: clips.slice(18, 24),
    test: clips.slice(24),
  }
})

function clipOf(id: string, hash: string, label: string): Clip {
  const size = { duration: 1, frames: 10, fps: 10, width: 8, height: 8, rotation: 0 }
  const source = {
    path: `/${id}`,
    relative: id,
    split: null,
    fold: null,
    group: null,
    start: null,
    end: null,
    columns: {},
  }
  return { id, hash, label, labels: [label], codec: "none", ...size, ...source }
}

const quick = [
  "model.blocks=1",
  "model.headWidth=8",
  "model.width=null",
  "align.epochs=4",
  "finetune.epochs=3",
  "finetune.minUpdates=0",
]
const small = [...quick, "align.batch=6", "finetune.batch=6"]
const { value: config } = await loadConfig({ set: small })
const language = ["model.processors=text", "model.processorWeights=positional", "model.languageWeight=1"]
const ridge = ["align.start=ridge", "align.similarity=pooled", "align.epochs=0", "align.minUpdates=0"]
const { value: withLanguage } = await loadConfig({ set: [...small, ...language, ...ridge] })

function spaceOf({ model, align }: Pick<typeof config, "model" | "align">): AlignmentSpace {
  const { pool, width, processors, processorWeights, processorHidden } = model
  return {
    ...{ encoder: "made up", sampling: null, steps: null, textEncoder: "made up", textWidth: TEXT_WIDTH },
    ...{ pool, width, processors, processorWeights, processorHidden, similarity: align.similarity },
    prompts: PROMPTS.map((id) => ({ id, text: id })),
  }
}

/** Name of a training that learns background. */
const LEARNED = "with background"

let runs = 0
const warnings: string[] = []
async function trial(
  texts: Map<string, Map<string, Float32Array>>,
  own: Split = split,
  labelsPerClass: number | null = null,
  described = own.train.length,
  { model, align } = config,
  methods: Method[] = ["full"],
  given: Alignment | null = null,
  features: Partial<ExperimentSettings["features"]> = {},
  after: (trial: Trial) => Promise<void> = async () => {},
): Promise<TrialResult> {
  const names = CLASSES.map((_, c) => Float32Array.from({ length: TEXT_WIDTH }, (_, d) => Number(d === c)))
  const { finetune, linearProbe, rowProbe, attentiveProbe, vjepaProbe } = config
  const space = spaceOf({ model, align })
  const settings: ExperimentSettings = {
    classes: CLASSES,
    background: own.training === LEARNED,
    prompts: PROMPTS,
    size: SIZE,
    model,
    align,
    training: { finetune, linearProbe, rowProbe, attentiveProbe, vjepaProbe },
    text: { table: texts, names, width: TEXT_WIDTH, center: true, encoder: "made up", id: "made up" },
    alignment: { space, cache: null, given, refine: given !== null },
    features: { train: set.source, trainViews: 2, test: set.source, testViews: 2, ...features },
    labelsPerClass,
    pseudoLabels: config.pseudoLabels,
    runtime: {},
    fewestClips: labelsPerClass === null ? own.train.length : labelsPerClass * CLASSES.length,
    fewestDescribed: described,
    reporter: { ...silent, warn: (text) => void warnings.push(text) },
  }
  const experiment = new Experiment(settings)
  try {
    const one = new Trial(experiment, own, SEED, join(folder, `trial${runs++}`))
    const result = await runTrial(one, methods, "export")
    await after(one)
    return result
  } finally {
    await experiment.release()
  }
}

/** What is said of held-out training clips, with these answers. */
async function heldOut(texts: Map<string, Map<string, Float32Array>>, own: Split) {
  let found: Awaited<ReturnType<typeof predictHeldOut>> = null
  await trial(texts, own, null, own.train.length, withLanguage, ["full"], null, {}, async (one) => {
    found = await predictHeldOut(one, own, "full", 2)
  })
  return new Map((found ?? { predictions: [] as Prediction[] }).predictions.map((one) => [one.clipId, one]))
}

const unlabelled = (clip: Clip): Clip => ({ ...clip, label: null, labels: [] })
const bytes = (run: number, stage: string) => readFileSync(join(folder, `trial${run}`, stage, "weights.safetensors"))

describe("a trial", () => {
  it("is blind to answers about validation and test clips, and leaks no session", async () => {
    const before = liveSessions()
    const clean = await trial(makeTexts(set.examples))
    const poisoned = makeTexts(set.examples)
    const training = new Set(split.train.map(({ id }) => id))
    for (const byClip of poisoned.values()) {
      for (const [clip, vector] of byClip) if (!training.has(clip)) vector.fill(Number.NaN)
    }
    const same = await trial(poisoned)
    for (const stage of ["stage-1", "full"]) expect(bytes(1, stage).equals(bytes(0, stage)), stage).toBe(true)
    expect(same.predictions).toEqual(clean.predictions)
    const missing = makeTexts(set.examples.slice(0, split.train.length))
    expect((await trial(missing)).predictions).toEqual(clean.predictions)
    expect(liveSessions()).toBe(before)
  })

  it("with a language classifier is as blind, and hears what the answers say of training clips", async () => {
    const own = (texts: Map<string, Map<string, Float32Array>>) =>
      trial(texts, split, null, split.train.length, withLanguage)
    const clean = await own(makeTexts(set.examples))
    const poisoned = makeTexts(set.examples)
    const training = new Set(split.train.map(({ id }) => id))
    for (const byClip of poisoned.values()) {
      for (const [clip, vector] of byClip) if (!training.has(clip)) vector.fill(Number.NaN)
    }
    expect((await own(poisoned)).predictions).toEqual(clean.predictions)
    const rows = (name: string) =>
      clean.predictions.get(name)?.predictions.map(({ probabilities }) => Array.from(probabilities))
    expect(rows("full")).not.toEqual(rows("full without language"))
  })

  it("holds clips out of stage 1, which judge it, and is as blind", async () => {
    const more = [
      "model.processorHidden=8",
      "align.start=random",
      "align.epochs=4",
      "align.holdOut=0.25",
      "align.mixup=0",
    ]
    const { value } = await loadConfig({ set: [...small, ...language, "align.similarity=pooled", ...more] })
    const own = (texts: Map<string, Map<string, Float32Array>>) => trial(texts, split, null, split.train.length, value)
    const clean = await own(makeTexts(set.examples))
    const journal = readFileSync(join(folder, `trial${runs - 1}`, "stage-1", "metrics.jsonl"), "utf8")
    expect(journal).toMatch(/"split":"val".*"score":.*"retrieval.A":/)
    const held = Math.round(0.25 * split.train.length)
    const { skill, z } = clean.retrieval[0].prompts.A
    expect(z).toBeCloseTo(skill * Math.sqrt(3 * held), 6)
    const poisoned = makeTexts(set.examples)
    const training = new Set(split.train.map(({ id }) => id))
    for (const byClip of poisoned.values()) {
      for (const [clip, vector] of byClip) if (!training.has(clip)) vector.fill(Number.NaN)
    }
    expect((await own(poisoned)).predictions).toEqual(clean.predictions)
  })

  it("refines an alignment from elsewhere by its own answers", async () => {
    const texts = makeTexts(set.examples)
    const own = (given: Alignment | null) =>
      trial(texts, split, null, split.train.length, withLanguage, ["full"], given)
    const alone = await own(null)
    const right: Weights = new Map(alone.weights.get("full"))
    const wrong: Weights = new Map(
      [...right].map(([name, data]) => [name, name.startsWith("processor.") ? data.map((x) => -x) : data]),
    )
    const from = (id: string, weights: Weights) =>
      own({ weights, card: alignmentCard(id, spaceOf(withLanguage), [], new Map(), {}) })
    const skill = ({ retrieval }: TrialResult) => retrieval[0].prompts.A.skill
    expect(skill(await from("right", right))).toBeGreaterThanOrEqual(skill(alone))
    expect(skill(await from("wrong", wrong))).toBeLessThan(skill(alone))
  })

  it("without any label reads the classes from words, and leaves out what learns from labels alone", async () => {
    const methods: Method[] = ["baseline", "full", "full-shuffled"]
    const texts = makeTexts(set.examples)
    const { predictions, pseudoLabels } = await trial(texts, split, 0, split.train.length, withLanguage, methods)
    expect(predictions.has("baseline")).toBe(false)
    expect(predictions.get("full")?.predictions).toHaveLength(split.test.length)
    const rows = predictions.get("full, shuffled answers")?.predictions ?? []
    expect(rows).toHaveLength(split.test.length)
    for (const { probabilities } of rows)
      for (const p of Array.from(probabilities)) expect(p).toBeCloseTo(1 / CLASSES.length, 5)
    expect(pseudoLabels.map(({ answers, evidence }) => [answers, evidence.checked])).toEqual([
      ["", 0],
      [", shuffled answers", 0],
    ])
    const labelled = await trial(
      texts,
      { ...split, train: split.train.map(unlabelled) },
      0,
      split.train.length,
      withLanguage,
    )
    expect(labelled.predictions.get("full")).toEqual(predictions.get("full"))
  })

  it("is blind to the test part: other test clips, same weights", async () => {
    const other = { ...split, test: split.test.slice(0, 2).map((clip) => ({ ...clip, label: "a", labels: ["a"] })) }
    await trial(makeTexts(set.examples), other)
    const last = runs - 1
    for (const stage of ["stage-1", "full"]) expect(bytes(last, stage).equals(bytes(0, stage)), stage).toBe(true)
  })

  it("gives pseudo-labels from training answers and labels that may be used, and from nothing else", async () => {
    const clean = await trial(makeTexts(set.examples), split, 2)
    const first = runs - 1
    const [figures] = clean.pseudoLabels
    expect(figures.clips + figures.none).toBe(split.train.length - 2 * CLASSES.length)
    expect(figures.right).toBe(figures.known)
    const used = new Set(drawLabelled(labelledOf(split.train, CLASSES, 2), 2, SEED).map(({ id }) => id))
    expect(used.size).toBe(2 * CLASSES.length)
    const hidden = split.train.map((clip) => (used.has(clip.id) ? clip : { ...clip, label: null, labels: [] }))
    const poisoned = makeTexts(set.examples)
    const training = new Set(split.train.map(({ id }) => id))
    for (const byClip of poisoned.values()) {
      for (const [clip, vector] of byClip) if (!training.has(clip)) vector.fill(Number.NaN)
    }
    const blind = await trial(poisoned, { ...split, train: hidden }, 2)
    expect(blind.pseudoLabels).toEqual([{ ...figures, known: 0, right: 0 }])
    expect(bytes(runs - 1, "full").equals(bytes(first, "full"))).toBe(true)
  })

  it("says which clips get no pseudo-label, and for want of which answer", async () => {
    const texts = makeTexts(set.examples)
    const used = new Set(drawLabelled(labelledOf(split.train, CLASSES, 2), 2, SEED).map(({ id }) => id))
    const open = split.train.map(({ id }) => id).filter((id) => !used.has(id))
    for (const id of open.slice(0, 5)) texts.get(PROMPTS[1])?.delete(id)
    warnings.length = 0
    await trial(texts, split, 2)
    const said = warnings.find((text) => text.includes("pseudo-label"))
    expect(said).toMatch(new RegExp(`^5 of ${open.length} clips .*missing: prompt ${PROMPTS[1]} on 5 clips\\.`))
  })

  it("trusts answers about unlabelled clips no more than those clips bear out", async () => {
    const used = new Set(drawLabelled(labelledOf(split.train, CLASSES, 2), 2, SEED).map(({ id }) => id))
    const texts = makeTexts(set.examples)
    for (const byClip of texts.values()) for (const id of used) byClip.delete(id)
    const { pseudoLabels } = await trial(texts, split, 2, split.train.length - used.size)
    expect(pseudoLabels).toMatchObject([{ evidence: { checked: 0, labels: 1 } }])
    const [{ evidence }] = pseudoLabels
    expect(evidence.accepted).toBe(evidence.clips >= 20)
  })

  it("sees other views in stage 1 where it is given some, and there alone", async () => {
    const watched = (name: string) => {
      const read = new Set<string>()
      const source: FeatureSource = {
        id: name,
        size: set.source.size,
        read(key, kind, into) {
          read.add(`${key.clip}/${key.view}`)
          return set.source.read(key, kind, into)
        },
      }
      return { source, read }
    }
    const [own, common] = [watched("stage 1"), watched("stage 2")]
    const features = { align: { source: own.source, views: 1 }, train: common.source, trainViews: 2 }
    await trial(makeTexts(set.examples), split, null, split.train.length, config, ["full"], null, features)
    const hashes = split.train.map(({ hash }) => hash)
    expect([...own.read].sort()).toEqual(hashes.map((hash) => `${hash}/0`).sort())
    expect(new Set([...common.read].map((key) => key.split("/")[0]))).toEqual(new Set(hashes))
    expect(bytes(runs - 1, "stage-1").equals(bytes(0, "stage-1"))).toBe(false)
  })

  it("would see answers about training clips", async () => {
    const texts = makeTexts(set.examples)
    texts.get(PROMPTS[0])?.get(split.train[0].id)?.fill(5)
    await trial(texts)
    expect(bytes(runs - 1, "stage-1").equals(bytes(0, "stage-1"))).toBe(false)
  })

  it("is calibrated by clips that it has met neither in stage 1 nor in stage 2, and leaks no session", async () => {
    const before = liveSessions()
    const own = { ...split, train: [...split.train, ...split.val], val: [] }
    const clean = await heldOut(makeTexts(set.examples), own)
    expect([...clean.keys()].sort()).toEqual(own.train.map(({ id }) => id).sort())
    const [clip] = own.train
    const poisoned = makeTexts(set.examples)
    for (const byClip of poisoned.values()) byClip.set(clip.id, new Float32Array(TEXT_WIDTH).fill(-3))
    const told = await heldOut(poisoned, own)
    const { fold } = clean.get(clip.id) ?? {}
    for (const [id, one] of clean) {
      const rows = [told.get(id)?.probabilities ?? [], one.probabilities].map((row) => Array.from(row))
      const unmoved = rows[0].every((p, c) => p === rows[1][c])
      expect(unmoved, id).toBe(one.fold === fold)
    }
    expect(liveSessions()).toBe(before)
  })

  it("judges background clips that it was not trained on: the threshold from the held ones, its effect on the tested ones", async () => {
    const background = { held: split.val, test: split.test.slice(0, 3) }
    const own = { ...split, val: [], test: split.test.slice(3), background }
    let found: BackgroundFigures | null = null
    await trial(makeTexts(set.examples), own, null, own.train.length, config, ["full"], null, {}, async (one) => {
      found = await judgeBackground(one, own, "full", { temperature: 1, rate: 0.5 })
    })
    expect(found).toMatchObject({ clips: 6, tested: 3, falseAlarmRate: 0.5 })
    expect(found).toHaveProperty("threshold", expect.closeTo(0.6, 0))
  })

  it("learns background as one more output that is never counted; its threshold comes from clips that it did not learn from", async () => {
    const all = [...split.train, ...split.val, ...split.test]
    const none = all.filter(({ label }) => label === "c").map((clip) => ({ ...clip, label: "none", labels: ["none"] }))
    const classes = (clips: Clip[]) => clips.filter(({ label }) => label !== "c")
    const background = { held: none, test: none.slice(0, 3) }
    const own = { ...split, training: LEARNED, train: classes(all), val: [], test: classes(all), background }
    let found: BackgroundFigures | null = null
    let rows: ArrayLike<number>[] = []
    const judge = async (one: Trial) => {
      rows = await predictHeldOutBackground(one, own, "full", 2)
      found = await judgeBackground(one, own, "full", { temperature: 1, rate: 0.5, heldOut: rows })
    }
    const texts = makeTexts(set.examples)
    const methods: Method[] = ["full", "baseline"]
    const learned = await trial(texts, own, null, own.train.length, withLanguage, methods, null, {}, judge)
    const { predictions, weights } = learned
    for (const name of ["full", "baseline", "full without language"]) {
      for (const { probabilities } of predictions.get(name)?.predictions ?? []) {
        expect(probabilities).toHaveLength(CLASSES.length)
        expect(Array.from(probabilities).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5)
      }
    }
    expect(rows.map((row) => row.length)).toEqual(none.map(() => CLASSES.length + 1))
    expect(weights.get("full")?.get("language.bias")?.at(-1)).toBe(0)
    expect(found).toMatchObject({ learned: true, clips: none.length, tested: background.test.length })
  })
})
