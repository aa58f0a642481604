/** Settings of both stages that contradict each other, told before anything is computed. */

import type { ContrastiveConfig, ModelConfig, ScheduleConfig } from "@fourtier/core/schemas"
import { FourtierError } from "@fourtier/tensor"
import type { Answers } from "../text/targets.ts"
import type { Split } from "../video/splits.ts"

/**
 * @throws FourtierError that names the setting and its mend
 *
 * @example
 * ```ts
 * import { loadConfig } from "fourtier"
 * import { checkStages } from "fourtier/experiment"
 *
 * const { value } = await loadConfig({ set: ["align.start=ridge"] })
 * checkStages(value) // throws: ridge needs processors of the text space
 * ```
 */
export function checkStages({ model, align }: { model: ModelConfig; align: ContrastiveConfig & ScheduleConfig }): void {
  const text = model.processors === "text"
  if (align.start === "ridge" && !text) {
    throw contradiction("align.start", "ridge needs processors of the text space", "model.processors=text")
  }
  if (align.similarity === "flat" && text) {
    const what = "flat is for processors of the map's space; positional processors keep frame and place by themselves"
    throw contradiction("align.similarity", what, "align.similarity=pooled model.processorWeights=positional")
  }
  if (model.languageWeight > 0 && align.similarity !== "pooled") {
    throw contradiction(
      "model.languageWeight",
      "the language classifier reads pooled embeddings",
      "align.similarity=pooled",
    )
  }
  if (model.languageWeight > 0 && align.start !== "ridge" && align.holdOut === 0) {
    const what = "the language classifier needs the retrieval that ridge regression or held-out clips measure"
    throw contradiction(
      "model.languageWeight",
      what,
      "align.start=ridge model.processors=text, or align.holdOut=0.2, or model.languageWeight=0",
    )
  }
  if (model.processorHidden !== null && (!text || align.start === "ridge")) {
    const what = "a hidden layer is for processors of the text space that InfoNCE trains"
    throw contradiction(
      "model.processorHidden",
      what,
      "model.processors=text align.start=random align.epochs=150 align.holdOut=0.2, or model.processorHidden=null",
    )
  }
  if (align.refine && align.start !== "ridge") {
    throw contradiction("align.refine", "ridge regression is what refines an alignment", "align.start=ridge")
  }
  if (align.holdOut > 0 && align.epochs === 0) {
    const what =
      "without epochs, ridge regression is all of stage 1: it measures retrieval by folds, and learns from all clips"
    throw contradiction("align.holdOut", what, "align.holdOut=0, or align.epochs above 0")
  }
}

/**
 * That there are enough answers for stage 1, and for a vote of prototypes where there is one.
 * @throws FourtierError that names split, prompt or class, before a clip is decoded
 *
 * @example
 * ```ts
 * import { type Config, loadConfig } from "fourtier"
 * import { checkAnswers } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * function check(splits: readonly Split[], config: Config) {
 *   checkAnswers(new Map([["jump/a", { A: "a jump" }]]), splits, ["jump", "wave"], ["A"], config)
 * }
 * ```
 */
export function checkAnswers(
  answers: Answers,
  splits: readonly Split[],
  classes: readonly string[],
  prompts: readonly string[],
  { model, align }: { model: ModelConfig; align: ContrastiveConfig },
): void {
  const has = (clip: string, prompt: string) => answers.get(clip)?.[prompt] !== undefined
  const least = align.start === "ridge" ? 3 : 2
  for (const { name, train } of splits) {
    for (const prompt of prompts) {
      const count = train.filter(({ id }) => has(id, prompt)).length
      if (count < least) throw tooFewAnswers(name, prompt, least, count, train.length)
    }
    if (model.prototypeWeight === 0) continue
    const described = train.filter(({ id }) => prompts.some((prompt) => has(id, prompt)))
    const bare = classes.filter((label) => !described.some((clip) => clip.label === label))
    if (bare.length > 0) throw noPrototypes(`${name}: ${bare.join(", ")}`)
  }
}

/**
 * The error of a split whose clips lack answers.
 *
 * @example
 * ```ts
 * import { tooFewAnswers } from "fourtier/experiment"
 *
 * throw tooFewAnswers("fold 1", "A", 3, 1, 40)
 * ```
 */
export function tooFewAnswers(
  split: string,
  prompt: string,
  least: number,
  count: number,
  clips: number,
): FourtierError {
  return new FourtierError({
    where: `split ${split}`,
    what: `too few training clips have an answer to prompt ${prompt}`,
    expected: `at least ${least} clips, preferably all`,
    found: `${count} of ${clips} clips`,
    fix: "complete the answers, leave the prompt out (`prompts`), or train without any: --set 'prompts=[]' 'methods=[baseline]'",
  })
}

/**
 * The error of a vote of prototypes that some class has none for.
 * @param found the classes, if known
 *
 * @example
 * ```ts
 * import { noPrototypes } from "fourtier/experiment"
 *
 * throw noPrototypes("fold 1: wave")
 * ```
 */
export function noPrototypes(found?: string): FourtierError {
  return new FourtierError({
    where: "model.prototypeWeight",
    what: "no class prototypes: some class has no labelled training clip with answers",
    ...(found === undefined ? {} : { found }),
    fix: "describe a labelled clip of each class, or set model.prototypeWeight=0",
  })
}

function contradiction(where: string, what: string, set: string): FourtierError {
  return new FourtierError({ where, what, fix: `set ${set}` })
}
