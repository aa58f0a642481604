/**
 * What cells share while they are run: manifest, features, text embeddings and standardisations are computed once for all cells
 * whose settings ask for the same.
 */

import { join } from "node:path"
import type { Reporter } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { classesOf } from "../classes.ts"
import type { Config } from "../config.ts"
import type { Prompt, PromptSet } from "../describe/prompts.ts"
import { Experiment, type Standardisations } from "../experiment/experiment.ts"
import { experimentSettings } from "../experiment-settings.ts"
import { needsAnswers, promptsOf } from "../requirements.ts"
import type { Features, StageContext } from "../stages/index.ts"
import * as stages from "../stages/index.ts"
import type { EmbeddedTexts } from "../text/targets.ts"
import type { Clip, Manifest } from "../video/manifest.ts"
import type { Split } from "../video/splits.ts"
import { lackingAnswers } from "./answers.ts"
import type { Lacking } from "./cells.ts"

export interface BenchOptions {
  data: string
  out: string
  /** The configuration that the cells are laid over. */
  base: Config
  /** The configurations of all cells, so that prompts of the same answers are embedded together. */
  configs: readonly Config[]
  reporter: Reporter
  signal?: AbortSignal
}

/** A cell's clips and texts. */
export interface Prepared {
  classes: readonly string[]
  splits: readonly Split[]
  /** Names everything that the cell learns from and is tested on. */
  id: string
  /** Compiles the cell's graphs when they are used; to be released. */
  experiment(): Promise<Experiment>
}

/** Shares work between cells; to be closed. */
export class Bench {
  readonly #options: BenchOptions
  readonly #reporter: Reporter
  readonly #standardisations: Standardisations = new Map()
  readonly #plans = remembered<{ manifest: Manifest; splits: Split[] }>()
  readonly #features = remembered<Features>()
  readonly #texts = remembered<EmbeddedTexts>()
  readonly #lacking = remembered<Lacking | null>()
  readonly #opened: Features[] = []

  constructor(options: BenchOptions) {
    this.#options = options
    this.#reporter = onceEach(options.reporter)
  }

  #context(config: Config): StageContext {
    return { config, reporter: this.#reporter, signal: this.#options.signal }
  }

  /** What a cell lacks; null where it can be run. */
  async lacking(config: Config): Promise<Lacking | null> {
    if (promptsOf(config).prompts.length === 0 || config.alignment) return null
    const { data, base } = this.#options
    const prompts = this.#allPrompts(config)
    return this.#lacking(textKey(config, prompts), async () => {
      const { manifest, splits } = await this.#plan(config)
      const training = stages.trainingClips(splits)
      const asked = { data, clips: manifest.clips, training, base }
      return lackingAnswers(asked, this.#context({ ...config, prompts: asSetting(prompts) }))
    })
  }

  /** Measures, extracts and embeds what a cell needs and no cell has needed before. */
  async prepare(config: Config): Promise<Prepared> {
    const { manifest, splits: planned } = await this.#plan(config)
    const context = stages.contextFor(manifest.clips, this.#context(config))
    const classes = classesOf(manifest, config)
    const { encoder: network, views, seed } = context.config
    const aligns = views.align !== null && promptsOf(config).prompts.length > 0
    const features = await this.#features([network, views, aligns, seed, config.split, config.model.pool], async () => {
      const found = await stages.extract(planned, context)
      this.#opened.push(found)
      return found
    })
    const splits = stages.withoutFailed(planned, features)
    const { prompts } = promptsOf(config)
    const all = this.#allPrompts(config)
    const texts = prompts.length === 0 ? null : await this.#embed(config, all, manifest, planned, classes, features)
    const text = texts && { ...texts, table: pick(texts.table, prompts) }
    return {
      classes,
      splits,
      id: hashJson([
        contentOf(splits),
        features.align.store.id,
        features.train.store.id,
        features.test.store.id,
        texts?.id ?? null,
      ]),
      experiment: async () => {
        const settings = await experimentSettings(classes, splits, prompts, text, features, context)
        const { alignment } = settings
        const wider = all.prompts.length > prompts.length ? { ...alignment.space, prompts: all.prompts } : undefined
        return new Experiment({ ...settings, alignment: { ...alignment, wider } }, this.#standardisations)
      },
    }
  }

  async close(): Promise<void> {
    for (const features of this.#opened) await stages.closeFeatures(features)
  }

  async #plan(config: Config): Promise<{ manifest: Manifest; splits: Split[] }> {
    const { data, out } = this.#options
    const { split, classes, exclude, views } = config
    return this.#plans([split, classes, exclude, views], async () => {
      const context = this.#context(config)
      const manifest = await stages.measure(data, join(out, "manifest.jsonl"), context)
      const { splits, tested } = await stages.plan(data, manifest, context)
      if (tested) return { manifest, splits }
      throw new FourtierError({
        where: data,
        what: "an ablation compares test figures, and no clip is held back for a test",
        fix: "label more clips, or name a column that says test (--split) or numbers folds (--folds)",
      })
    })
  }

  async #embed(
    config: Config,
    prompts: PromptSet,
    { clips }: Manifest,
    splits: readonly Split[],
    classes: readonly string[],
    { encoder }: Features,
  ): Promise<EmbeddedTexts> {
    const context = this.#context(config)
    const ids = prompts.prompts.map(({ id }) => id)
    const wanted = needsAnswers(config, this.#options.data)
    return this.#texts([textKey(config, prompts), encoder.size, classes], async () => {
      const answers = wanted
        ? await stages.describeClips(this.#options.data, clips, stages.trainingClips(splits), prompts, context)
        : null
      return stages.embedTexts(answers, ids, classes, encoder, context)
    })
  }

  /** The prompts of all cells that read the same answers as this one: of one id, the words of this one. */
  #allPrompts(config: Config): PromptSet {
    const own = promptsOf(config)
    const found = new Map<string, Prompt>()
    for (const other of this.#options.configs) {
      const { system, prompts } = promptsOf(other)
      if (system !== own.system || sourceKey(other) !== sourceKey(config)) continue
      for (const prompt of prompts) if (!found.has(prompt.id)) found.set(prompt.id, prompt)
    }
    const worded = own.prompts.every(({ id, text }) => found.get(id)?.text === text)
    return worded ? { system: own.system, prompts: [...found.values()] } : own
  }
}

/** The clips of the splits by their content, wherever their files are. */
function contentOf(splits: readonly Split[]): unknown {
  const about = (clips: readonly Clip[]) => clips.map(({ id, hash, label, group }) => [id, hash, label, group])
  return splits.map(({ name, training, train, val, test }) => [name, training, ...[train, val, test].map(about)])
}

/** What decides which answers there are, but for the prompts. */
function sourceKey({ describe, keyFrames, split, alignment }: Config): string {
  return hashJson([describe, keyFrames, split, alignment])
}

function textKey(config: Config, prompts: PromptSet): string {
  return hashJson([sourceKey(config), prompts, config.text, config.align.similarity === "tokens", config.classes])
}

const asSetting = ({ system, prompts }: PromptSet): Config["prompts"] => ({
  preset: "paper",
  only: [],
  system,
  add: [...prompts],
})

function pick(table: EmbeddedTexts["table"], prompts: readonly Prompt[]): EmbeddedTexts["table"] {
  return new Map([...table].filter(([prompt]) => prompts.some(({ id }) => id === prompt)))
}

/** Makes each thing once. */
function remembered<T>(): (key: unknown, make: () => Promise<T>) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (key, make) => {
    const name = hashJson(key)
    const found = known.get(name) ?? make()
    known.set(name, found)
    return found
  }
}

/** Says every line once: cells that share their data would say it again. */
function onceEach(reporter: Reporter): Reporter {
  const told = new Set<string>()
  const once = (tell: (line: string) => void) => (line: string) => {
    if (!told.has(line)) tell(line)
    told.add(line)
  }
  return {
    task: (...of) => reporter.task(...of),
    say: once((line) => reporter.say(line)),
    warn: once((line) => reporter.warn(line)),
  }
}
