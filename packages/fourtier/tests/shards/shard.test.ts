/** A process's part of the work is told by what started it, or refused where it cannot be told. */

import { expect, it } from "vitest"
import { parseShard, shardFromEnvironment, shardName } from "../../src/shards/shard.ts"

const partOf = (env: Record<string, string>, counted = true) => {
  const found = shardFromEnvironment(env, counted)
  return found && `${shardName(found.shard)} ${found.from}`
}

const array = (id: number, count: number, min: number, max: number, step = 1) => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_COUNT: String(count),
  SLURM_ARRAY_TASK_MIN: String(min),
  SLURM_ARRAY_TASK_MAX: String(max),
  SLURM_ARRAY_TASK_STEP: String(step),
})

it("reads parts as people write them", () => {
  expect(parseShard("3/16")).toEqual({ index: 2, count: 16 })
  expect(parseShard(" 1 / 1 ")).toEqual({ index: 0, count: 1 })
  for (const wrong of ["0/4", "5/4", "4", "a/b", "-1/4", "1/0", ""]) {
    expect(() => parseShard(wrong)).toThrow(/not a part of the work.*i\/n/s)
  }
})

it("knows a task of a Slurm array, wherever its numbers begin", () => {
  expect(partOf(array(0, 4, 0, 3))).toBe("1/4 SLURM_ARRAY_TASK_ID")
  expect(partOf(array(16, 16, 1, 16))).toBe("16/16 SLURM_ARRAY_TASK_ID")
  expect(partOf(array(5, 3, 1, 5, 2))).toBe("3/3 SLURM_ARRAY_TASK_ID")
  expect(partOf(array(7, 1, 7, 7))).toBeNull()
})

it("refuses an array with gaps, but for work that needs no numbers", () => {
  const gaps = array(7, 2, 3, 7)
  expect(() => partOf(gaps)).toThrow(/the array has gaps.*task 7 of 2 from 3 to 7.*--steal/s)
  expect(partOf(gaps, false)).toBe("2/2 SLURM_ARRAY_TASK_ID")
})

it("knows an index of a Kubernetes job, where it is told of how many", () => {
  expect(partOf({ JOB_COMPLETION_INDEX: "2", FOURTIER_SHARD_COUNT: "8" })).toBe("3/8 JOB_COMPLETION_INDEX")
  expect(() => partOf({ JOB_COMPLETION_INDEX: "2" })).toThrow(/but not of how many.*FOURTIER_SHARD_COUNT/s)
  expect(() => partOf({ JOB_COMPLETION_INDEX: "8", FOURTIER_SHARD_COUNT: "8" })).toThrow(
    /not below the number of parts/,
  )
  expect(partOf({ JOB_COMPLETION_INDEX: "2" }, false)).toBeNull()
})

it("knows ranks, which divide a task's part further", () => {
  expect(partOf({ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" })).toBe("2/4 OMPI_COMM_WORLD_RANK")
  expect(partOf({ PMI_RANK: "0", PMI_SIZE: "2" })).toBe("1/2 PMI_RANK")
  expect(partOf({ PMI_RANK: "0", PMI_SIZE: "1" })).toBeNull()
  const both = { ...array(1, 2, 0, 1), OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "3" }
  expect(partOf(both)).toBe("5/6 SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK")
})

it("is all of the work where nothing tells, and names what is no number", () => {
  expect(partOf({})).toBeNull()
  expect(() => partOf({ ...array(0, 4, 0, 3), SLURM_ARRAY_TASK_ID: "x" })).toThrow(
    /SLURM_ARRAY_TASK_ID.*not a whole number/s,
  )
})
