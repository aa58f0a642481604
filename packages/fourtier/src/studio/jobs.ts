/** What the studio does in processes of its own: each job from plain data to plain data, everything else on disk. */

import type { Reporter } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import { configSchema } from "../config.ts"
import type { DescribeOptions } from "../describe/options.ts"
import { pause } from "../util/back-off.ts"

const commonSchema = z.object({ data: z.string(), config: configSchema })

export const jobSchema = z.discriminatedUnion("kind", [
  commonSchema.extend({ kind: z.literal("measure"), manifest: z.string() }),
  commonSchema.extend({ kind: z.literal("train"), out: z.string(), print: z.string() }),
  commonSchema.extend({
    kind: z.literal("describe"),
    manifest: z.string(),
    /** Ids of the manifest; null: every training clip. */
    ids: z.array(z.string()).nullable(),
    estimateOnly: z.boolean(),
    /** Whether sound answers are asked for anew. */
    again: z.boolean(),
  }),
])
export type Job = z.infer<typeof jobSchema>
type JobOf<K extends Job["kind"]> = Extract<Job, { kind: K }>

export const measuredSchema = z.object({ clips: z.number(), quarantined: z.number() })
export const trainedSchema = z.object({ bundle: z.boolean(), report: z.boolean() })

const costSchema = z.object({ calls: z.number(), tokens: z.number(), dollars: z.number().nullable() })
export const describedSchema = z.object({
  /** Clips that may be described. */
  total: z.number(),
  spent: costSchema,
  expected: costSchema.nullable(),
  /** Questions without an answer, and one of the reasons. */
  failed: z.number(),
  reason: z.string().nullable(),
})
export type Described = z.infer<typeof describedSchema>
export type Cost = z.infer<typeof costSchema>

/** Milliseconds that a job has to end at a safe place once its server is gone, and that the next one waits for it. */
export const ORPHAN_MS = 10_000

/** Says in a line what has been spent, for `spentIn`. */
export const spentLine = (cost: Cost) => `spent ${JSON.stringify(cost)}`

/** What a line of `spentLine` says; null for any other. */
export function spentIn(line: string): Cost | null {
  return line.startsWith("spent {") ? costSchema.parse(JSON.parse(line.slice("spent ".length))) : null
}

/** Does a job. @returns its result, as the schema of its kind has it */
export function runJob(job: Job, reporter: Reporter, signal: AbortSignal): Promise<unknown> {
  if (job.kind === "measure") return measureData(job, reporter, signal)
  return job.kind === "train" ? train(job, reporter, signal) : describeData(job, reporter, signal)
}

async function measureData({ data, manifest, config }: JobOf<"measure">, reporter: Reporter, signal: AbortSignal) {
  const [{ doctor }, { openCache }] = [await import("../video/doctor.ts"), await import("../util/cache-folders.ts")]
  const { measurements } = await openCache(config.cache, reporter)
  const workers = config.runtime.workers ?? undefined
  const { manifest: found } = await doctor(data, manifest, reporter, { workers, signal, measurements })
  return { clips: found.clips.length, quarantined: found.quarantine.length }
}

async function train({ data, out, print, config }: JobOf<"train">, reporter: Reporter, signal: AbortSignal) {
  const [{ runRecipe }, { withFolderLock }] = [await import("../recipe.ts"), await import("../util/lock.ts")]
  const run = () => runRecipe(data, out, print, { config, reporter, signal })
  const { bundle, page } = await onceFree(() => withFolderLock(out, run), signal)
  return { bundle: bundle !== null, report: page !== null }
}

/** Does work that needs a folder for itself; a job of a server that is gone may take a moment to leave it. */
async function onceFree<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const until = performance.now() + ORPHAN_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const taken = error instanceof FourtierError && error.complaint.what === "another run is using this folder"
      if (!taken || performance.now() > until) throw error
      await pause(200, signal)
    }
  }
}

async function describeData(job: JobOf<"describe">, reporter: Reporter, signal: AbortSignal): Promise<Described> {
  const { data, manifest: path, config, ids, estimateOnly, again } = job
  const stages = await import("../stages/index.ts")
  const { describe, estimateDescriptions } = await import("../describe/describe.ts")
  const { setAside, withCache } = await import("../describe/manage.ts")
  const { promptsOf } = await import("../requirements.ts")
  const context = { config, reporter, signal }
  const manifest = await stages.measure(data, path, context, false)
  const training = stages.trainingClips(await stages.splitsOf(data, manifest, context))
  const chosen = new Set(ids === null ? training : ids.filter((id) => training.has(id)))
  if (chosen.size === 0 && ids !== null) {
    throw new FourtierError({
      where: "ids",
      what: "these clips are held out for validation or testing, and are never described",
      expected: "training clips",
      fix: "choose other clips; the file test-part.csv of the data says which are held out (docs/data.md)",
    })
  }
  const clips = manifest.clips.filter(({ id }) => chosen.has(id))
  const begun = Date.now()
  return stages.withDescribing(data, clips, chosen, promptsOf(config), context, async (options) => {
    if (estimateOnly) {
      const { requests, imageTokens, textTokens, outputTokens, cost } = await estimateDescriptions(options)
      const expected = { calls: requests, tokens: (imageTokens ?? 0) + textTokens + outputTokens, dollars: cost }
      return { total: training.size, spent: NOTHING, expected, failed: 0, reason: null }
    }
    return withCache(options.cachePath, async (cache) => {
      const putBack = again ? setAside(cache, clips, options.provider.model) : () => 0
      const told = telling(options, () => cache, begun)
      try {
        const { failed, spent, requests } = await describe({ ...told, retryFlagged: true, collect: false })
        const tokens = tokensSince(cache, begun)
        const cost = { calls: requests, tokens, dollars: spent }
        return {
          total: training.size,
          spent: cost,
          expected: null,
          failed: failed.length,
          reason: failed[0]?.reason ?? null,
        }
      } finally {
        putBack()
      }
    })
  })
}

const NOTHING: Cost = { calls: 0, tokens: 0, dollars: null }

type OpenCache = Parameters<Parameters<typeof import("../describe/manage.ts").withCache>[1]>[0]

/** Tokens of the answers that came since then. */
function tokensSince(cache: OpenCache, begun: number): number {
  let sum = 0
  for (const { time, inputTokens = 0, outputTokens = 0 } of cache.latest(2000)) {
    if (Date.parse(time) >= begun) sum += inputTokens + outputTokens
  }
  return sum
}

/** The options with a reporter that says after each answer, but at most twice a second, what has been spent. */
function telling(options: DescribeOptions, cache: () => OpenCache, begun: number): DescribeOptions {
  const { reporter } = options
  if (!reporter) return options
  let last = 0
  const tell = () => {
    if (performance.now() - last < 500) return
    last = performance.now()
    cache().refresh()
    const own = [...cache().latest(2000)].filter(({ time }) => Date.parse(time) >= begun)
    const dollars = own.reduce((sum, { cost = 0 }) => sum + cost, 0)
    const priced = own.some(({ cost }) => cost !== undefined)
    const tokens = own.reduce((sum, { inputTokens = 0, outputTokens = 0 }) => sum + inputTokens + outputTokens, 0)
    reporter.say(spentLine({ calls: own.length, tokens, dollars: priced ? dollars : null }))
  }
  return {
    ...options,
    reporter: {
      ...reporter,
      task(title, total, unit) {
        const task = reporter.task(title, total, unit)
        return {
          tick(n, detail) {
            task.tick(n, detail)
            tell()
          },
          done: (summary) => task.done(summary),
        }
      },
    },
  }
}
