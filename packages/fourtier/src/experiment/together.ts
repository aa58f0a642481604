/**
 * Trainings that several processes share. Rank 0 runs the recipe, decides, writes and reports; the others wait until it tells them of a
 * training, take part in it, and do nothing else.
 *
 * ```
 * rank 0   recipe ─ … ─ tells ─ trains ─┐          ┌─ … ─ tells ─ predicts ─ … ─ report
 * rank 1        waits ───────── trains ─┼─ updates ┼─ waits ───── predicts ─ waits
 * rank 2        waits ───────── trains ─┘          └─ waits ───── predicts ─ waits
 * ```
 * Features are read by every rank from the same folder; weights, texts and lists of clips come from rank 0.
 */

import { availableParallelism, cpus } from "node:os"
import { silent } from "@fourtier/core"
import { type Method, methodNamed, type NetworkSpec } from "@fourtier/core/model"
import type { ClassificationConfig, ContrastiveConfig, ModelConfig, ScheduleConfig } from "@fourtier/core/schemas"
import {
  AlignGraphs,
  type AlignSpec,
  alignmentTask,
  ClassifierGraphs,
  classificationTask,
  type Example,
  type FeatureSet,
  fromFirst,
  type Labelled,
  sharedProbabilities,
  type Taught,
  type TextTargets,
  train,
} from "@fourtier/core/train"
import type { SessionOptions } from "@fourtier/tensor"
import type { Param, Weights } from "@fourtier/tensor/nn"
import { type Ranks, threadsOf } from "../mpi/index.ts"
import { joined, type PackedClips, packed, unpacked } from "./packed-clips.ts"

/** What a network is built from. */
export interface NetworkRecipe extends Omit<NetworkSpec, "build"> {
  method: Method
  prompts: readonly string[]
  model: ModelConfig
  space: { similarity: ContrastiveConfig["similarity"]; textWidth: number } | null
}

/**
 * The network of a recipe.
 *
 * @example
 * ```ts
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { networkOf } from "fourtier/experiment"
 *
 * const size = { T: 8, H: 6, W: 6, D: 64 }
 * const model = modelSchema.parse({})
 * networkOf({ method: "baseline", prompts: [], model, space: null, size, classes: 12, width: null, pool: "mean" })
 * ```
 */
export function networkOf({ method, prompts, model, space, ...spec }: NetworkRecipe): NetworkSpec {
  return { ...spec, build: methodNamed(method).build({ prompts, model, space }) }
}

/** How the graphs of a network are compiled. */
export interface GraphsRecipe {
  network: NetworkRecipe
  rows: number
  dropout: number
  partners: boolean
}

type Job =
  | {
      kind: "stage 1"
      spec: AlignSpec
      batch: number
      chunk: number
      schedule: ScheduleConfig
      seed: number
      clips: PackedClips
      textWidth: number
      /** Clips that each prompt has a text of, in the order of their rows. */
      described: Readonly<Record<string, readonly string[]>>
    }
  | {
      kind: "stage 2"
      name: string
      graphs: GraphsRecipe
      unit: number
      training: ClassificationConfig & ScheduleConfig
      seed: number
      clips: PackedClips
      val: PackedClips
    }
  | { kind: "probabilities"; graphs: GraphsRecipe; output: "probabilities" | "classifier"; clips: PackedClips }
  | { kind: "end"; code: number }

interface Message {
  job: Job
  provider: SessionOptions["provider"]
  /** Threads of each process; undefined: its part of its machine's cores. */
  threads: number | undefined
  /** Names and lengths of the arrays that follow. */
  arrays: readonly (readonly [name: string, length: number])[]
}

/**
 * Threads of this process's sessions: its part of the machine's cores, unless somebody has set their number.
 *
 * @example
 * ```ts
 * import type { Ranks } from "fourtier"
 * import { rankThreads } from "fourtier/experiment"
 *
 * const half = (ranks: Ranks) => rankThreads(ranks) // two processes on a machine of 8 cores: 4
 * ```
 */
export const rankThreads = ({ launch }: Pick<Ranks, "launch">): number =>
  threadsOf(launch, availableParallelism(), cpus().length)

/** Where rank 0 stands: who the others are, and what their sessions run on. */
export interface Team {
  ranks: Ranks
  provider: SessionOptions["provider"]
  threads: number | undefined
}

/** Tells the other ranks what comes; rank 0 then does its own part of it. */
async function tell({ ranks, provider, threads }: Team, job: Job, arrays: ReadonlyMap<string, Float32Array>) {
  await ranks.call()
  const lengths = [...arrays].map(([name, { length }]) => [name, length] as const)
  await fromFirst<Message>(ranks, { job, provider, threads, arrays: lengths })
  for (const values of arrays.values()) await ranks.broadcast(bytesOf(values))
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength)

/** A training of stage 1, as rank 0 has prepared it. */
export interface Stage1Job {
  graphs: AlignGraphs
  schedule: ScheduleConfig
  seed: number
  train: FeatureSet<Example>
  texts: TextTargets
  frozen: Weights
}

/**
 * Lets the other ranks take part in a training of stage 1; rank 0 trains right afterwards.
 *
 * @example
 * ```ts
 * import { type LoopOptions, type TrainTask, train } from "@fourtier/core/train"
 * import { type Stage1Job, shareStage1, type Team } from "fourtier/experiment"
 *
 * async function trainWith(team: Team, job: Stage1Job, task: TrainTask, options: LoopOptions) {
 *   await shareStage1(team, job)
 *   return train(task, { ...options, collective: team.ranks })
 * }
 * ```
 */
export async function shareStage1(team: Team, job: Stage1Job): Promise<void> {
  const { graphs, schedule, seed, texts } = job
  const clips = packed(job.train, new Map())
  const arrays = weightsOf(graphs.frozen, job.frozen)
  const described: Record<string, string[]> = {}
  for (const [prompt, byClip] of texts.embeddings) {
    described[prompt] = [...byClip.keys()]
    arrays.set(`text/${prompt}`, joined([...byClip.values()]))
  }
  const { spec, batch, chunk } = graphs
  const common = { spec, batch, chunk, schedule, seed, clips, textWidth: texts.width, described }
  await tell(team, { kind: "stage 1", ...common }, arrays)
}

/** A training of stage 2, as rank 0 has prepared it. */
export interface Stage2Job {
  name: string
  recipe: GraphsRecipe
  graphs: ClassifierGraphs
  unit: number
  training: ClassificationConfig & ScheduleConfig
  seed: number
  train: FeatureSet<Taught>
  val: FeatureSet
  frozen: Weights
}

/**
 * Lets the other ranks take part in a training of stage 2; rank 0 trains right afterwards.
 *
 * @example
 * ```ts
 * import { type LoopOptions, type TrainTask, train } from "@fourtier/core/train"
 * import { type Stage2Job, shareStage2, type Team } from "fourtier/experiment"
 *
 * async function trainWith(team: Team, job: Stage2Job, task: TrainTask, options: LoopOptions) {
 *   await shareStage2(team, job)
 *   return train(task, { ...options, collective: team.ranks })
 * }
 * ```
 */
export async function shareStage2(team: Team, job: Stage2Job): Promise<void> {
  const { name, recipe, graphs, unit, training, seed } = job
  const arrays = weightsOf([...graphs.frozen, ...graphs.finalFrozen], job.frozen)
  const clips = packed(job.train, arrays)
  const val = packed(job.val, new Map())
  await tell(team, { kind: "stage 2", name, graphs: recipe, unit, training, seed, clips, val }, arrays)
}

/**
 * Lets the other ranks look at a share of the clips each.
 * @returns the probabilities of all, as `clipProbabilities`
 *
 * @example
 * ```ts
 * import type { ClassifierGraphs, FeatureSet } from "@fourtier/core/train"
 * import type { Weights } from "@fourtier/tensor/nn"
 * import { type GraphsRecipe, shareProbabilities, type Team } from "fourtier/experiment"
 *
 * function judge(team: Team, recipe: GraphsRecipe, graphs: ClassifierGraphs, clips: FeatureSet, weights: Weights) {
 *   return shareProbabilities(team, recipe, graphs, clips, weights, "probabilities")
 * }
 * ```
 */
export async function shareProbabilities(
  team: Team,
  recipe: GraphsRecipe,
  graphs: ClassifierGraphs,
  set: FeatureSet<Example>,
  weights: Weights,
  output: "probabilities" | "classifier",
): Promise<Float32Array[]> {
  const arrays = weightsOf([...graphs.trained, ...graphs.finalFrozen], weights)
  await tell(team, { kind: "probabilities", graphs: recipe, output, clips: packed(set, new Map()) }, arrays)
  return sharedProbabilities(team.ranks, graphs, set, weights, output)
}

/**
 * Ends the waiting of all other ranks: they leave with this exit code.
 *
 * @example
 * ```ts
 * import type { Ranks } from "fourtier"
 * import { dismiss } from "fourtier/experiment"
 *
 * async function finish(ranks: Ranks) {
 *   await dismiss(ranks, 0)
 *   ranks.leave()
 * }
 * ```
 */
export async function dismiss(ranks: Ranks, code: number): Promise<void> {
  await tell({ ranks, provider: undefined, threads: undefined }, { kind: "end", code }, new Map())
}

/**
 * What a rank other than the first does: takes part in all that rank 0 tells it of.
 * @returns the exit code that rank 0 ends with
 * @throws FourtierError for whatever goes wrong here, on all ranks or on this one alone
 *
 * @example
 * ```ts
 * import type { Ranks } from "fourtier"
 * import { follow } from "fourtier/experiment"
 *
 * async function assist(ranks: Ranks) {
 *   process.exitCode = await follow(ranks)
 *   ranks.leave()
 * }
 * ```
 */
export async function follow(ranks: Ranks): Promise<number> {
  const classifiers = new Map<string, Promise<ClassifierGraphs>>()
  try {
    for (;;) {
      await ranks.waitForCall()
      const message = await fromFirst<Message | null>(ranks, null)
      if (!message) throw new Error("internal error: called for nothing")
      const arrays = new Map<string, Float32Array>()
      for (const [name, length] of message.arrays) {
        const values = new Float32Array(length)
        await ranks.broadcast(bytesOf(values))
        arrays.set(name, values)
      }
      if (message.job.kind === "end") return message.job.code
      await takePart(ranks, message, arrays, classifiers)
    }
  } finally {
    for (const graphs of classifiers.values()) await (await graphs).release()
  }
}

async function takePart(
  ranks: Ranks,
  { job, provider, threads = rankThreads(ranks) }: Message,
  arrays: Map<string, Float32Array>,
  classifiers: Map<string, Promise<ClassifierGraphs>>,
): Promise<void> {
  if (job.kind === "end") return
  const runtime = { provider, threads }
  const clips = await unpacked(job.clips, arrays)
  const options = { reporter: silent, collective: ranks, runtime }
  try {
    if (job.kind === "stage 1") {
      const graphs = await AlignGraphs.compile(job.spec, job.batch, job.chunk, runtime)
      try {
        const data = { train: clips, val: { ...clips, examples: [] } }
        const task = alignmentTask(graphs, data, textsOf(job, arrays), arrays, async () => null)
        await untilStopped(train(task, { ...options, schedule: job.schedule, seed: job.seed }))
      } finally {
        await graphs.release()
      }
      return
    }
    const graphs = await graphsOf(job.graphs, runtime, classifiers)
    if (job.kind === "probabilities") {
      await sharedProbabilities(ranks, graphs, clips, arrays, job.output)
      return
    }
    const val = await unpacked(job.val, arrays)
    try {
      const labelled = val.examples.flatMap((example): Labelled[] =>
        typeof example.label === "number" ? [{ ...example, label: example.label }] : [],
      )
      const data = { train: clips, val: { source: val.source, examples: labelled } }
      const task = classificationTask(job.name, graphs, job.training, data, arrays, job.unit)
      await untilStopped(train(task, { ...options, schedule: job.training, seed: job.seed }))
    } finally {
      await val.source.close()
    }
  } finally {
    await clips.source.close()
  }
}

/** A training that rank 0 was told to stop ends here as well; what comes next, rank 0 says. */
async function untilStopped(training: Promise<unknown>): Promise<void> {
  await training.catch((error: unknown) => {
    if (!(error instanceof Error && error.name === "AbortError")) throw error
  })
}

/** Compiles graphs, or takes those of an earlier training. */
function graphsOf(
  recipe: GraphsRecipe,
  runtime: SessionOptions,
  known: Map<string, Promise<ClassifierGraphs>>,
): Promise<ClassifierGraphs> {
  const key = JSON.stringify([recipe, runtime])
  const { network, rows, dropout, partners } = recipe
  const graphs = known.get(key) ?? ClassifierGraphs.compile(networkOf(network), rows, dropout, runtime, partners)
  known.set(key, graphs)
  return graphs
}

function weightsOf(params: readonly Param[], weights: Weights): Map<string, Float32Array> {
  return new Map(
    params.flatMap(({ name }) => {
      const values = weights.get(name)
      return values ? [[name, values] as const] : []
    }),
  )
}

function textsOf(job: Extract<Job, { kind: "stage 1" }>, arrays: ReadonlyMap<string, Float32Array>): TextTargets {
  const embeddings = new Map(
    Object.entries(job.described).map(([prompt, ids]) => {
      const all = arrays.get(`text/${prompt}`) ?? new Float32Array()
      const width = all.length / ids.length
      return [prompt, new Map(ids.map((id, i) => [id, all.subarray(i * width, (i + 1) * width)]))] as const
    }),
  )
  return { width: job.textWidth, embeddings }
}
