/** Which part of the work is this process's: given, or told by what started it (Slurm, Kubernetes, MPI). */

import { FourtierError } from "@fourtier/tensor"

/** Part `index` (from 0) of `count`. */
export interface Shard {
  index: number
  count: number
}

/** The variable that says how many indexes a Kubernetes job has, which Kubernetes itself does not tell. */
export const SHARD_COUNT = "FOURTIER_SHARD_COUNT"

/**
 * Reads "3/16": the third of sixteen parts.
 * @throws FourtierError for anything else
 *
 * @example
 * ```ts
 * import { parseShard } from "fourtier/shards"
 *
 * parseShard("3/16") // { index: 2, count: 16 }
 * ```
 */
export function parseShard(text: string): Shard {
  const match = /^\s*(\d+)\s*\/\s*(\d+)\s*$/.exec(text)
  const [index, count] = match ? [Number(match[1]) - 1, Number(match[2])] : [-1, 0]
  if (index >= 0 && index < count) return { index, count }
  throw new FourtierError({
    where: "--shard",
    what: "not a part of the work",
    expected: "i/n with i from 1 to n, such as 3/16; auto; or none",
    found: text,
  })
}

/**
 * A part as people write it, counted from 1.
 *
 * @example
 * ```ts
 * import { shardName } from "fourtier/shards"
 *
 * shardName({ index: 2, count: 16 }) // "3/16"
 * ```
 */
export function shardName({ index, count }: Shard): string {
  return `${index + 1}/${count}`
}

type Env = Readonly<Record<string, string | undefined>>

/** A part, and what told of it. */
export interface ShardFound {
  shard: Shard
  /** The variables that told. */
  from: string
}

/**
 * This process's part as the environment tells it: a task of a Slurm array, an index of a Kubernetes job, a rank of MPI. Ranks within a
 * task divide its part further.
 * @param counted whether the number of parts matters; where blocks are taken from a shared folder, it does not
 * @returns null where nothing tells, or there is one part
 * @throws FourtierError where the part cannot be told from what there is
 *
 * @example
 * ```ts
 * import { shardFromEnvironment } from "fourtier/shards"
 *
 * shardFromEnvironment({ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" })?.shard // { index: 1, count: 4 }
 * ```
 */
export function shardFromEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
  counted = true,
): ShardFound | null {
  const ranks = rankOf(env, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE") ?? rankOf(env, "PMI_RANK", "PMI_SIZE")
  const found = [slurmArray(env, counted), kubernetes(env, counted), ranks].filter((one) => one !== null)
  const several = found.filter(({ shard }) => shard.count > 1)
  if (several.length === 0) return null
  return several.reduce((outer, inner) => ({
    shard: {
      index: outer.shard.index * inner.shard.count + inner.shard.index,
      count: outer.shard.count * inner.shard.count,
    },
    from: `${outer.from}, ${inner.from}`,
  }))
}

function whole(env: Env, name: string): number | null {
  const text = env[name]
  if (text === undefined || text.trim() === "") return null
  if (/^\d+$/.test(text.trim())) return Number(text)
  throw new FourtierError({
    where: `environment variable ${name}`,
    what: "not a whole number",
    found: text,
    fix: "give --shard i/n, or --shard none to do all of the work",
  })
}

/** Numbers of an array need neither begin at 0 nor be consecutive (`--array=1-99:2`). */
function slurmArray(env: Env, counted: boolean): ShardFound | null {
  const [id, count] = [whole(env, "SLURM_ARRAY_TASK_ID"), whole(env, "SLURM_ARRAY_TASK_COUNT")]
  if (id === null || count === null) return null
  const least = whole(env, "SLURM_ARRAY_TASK_MIN") ?? 0
  const most = whole(env, "SLURM_ARRAY_TASK_MAX") ?? least + count - 1
  const step = whole(env, "SLURM_ARRAY_TASK_STEP") ?? 1
  const index = (id - least) / step
  const regular = Number.isInteger(index) && (most - least) / step + 1 === count && index < count
  if (regular) return { shard: { index, count }, from: "SLURM_ARRAY_TASK_ID" }
  if (!counted) return { shard: { index: id % count, count }, from: "SLURM_ARRAY_TASK_ID" }
  throw new FourtierError({
    where: "SLURM_ARRAY_TASK_ID",
    what: "the array has gaps, so which part a task is to do cannot be told",
    expected: "an array such as 0-15",
    found: `task ${id} of ${count} from ${least} to ${most}`,
    fix: "give --steal, which needs no numbers, or --shard i/n",
  })
}

function kubernetes(env: Env, counted: boolean): ShardFound | null {
  const [index, count] = [whole(env, "JOB_COMPLETION_INDEX"), whole(env, SHARD_COUNT)]
  if (index === null) return null
  if (count !== null && index < count) return { shard: { index, count }, from: "JOB_COMPLETION_INDEX" }
  if (!counted) return null
  throw new FourtierError({
    where: "JOB_COMPLETION_INDEX",
    what: count === null ? "says which part this is, but not of how many" : "is not below the number of parts",
    expected: `the job's completions in ${SHARD_COUNT}`,
    found: count === null ? `index ${index}` : `index ${index}, ${SHARD_COUNT}=${count}`,
    fix: `set ${SHARD_COUNT} in the manifest to its completions, or give --steal, which needs no number`,
  })
}

function rankOf(env: Env, rank: string, size: string): ShardFound | null {
  const [index, count] = [whole(env, rank), whole(env, size)]
  return index === null || count === null || index >= count ? null : { shard: { index, count }, from: rank }
}
