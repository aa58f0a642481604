/** What the environment of mpirun and srun is read as, and how many threads a process then takes. */

import { describe, expect, it } from "vitest"
import { launchOf, threadsOf } from "../../src/mpi/launch.ts"

describe("the launch", () => {
  it("is read from what Open MPI, MPICH and Slurm set", () => {
    const open = { OMPI_COMM_WORLD_SIZE: "8", OMPI_COMM_WORLD_RANK: "5", OMPI_COMM_WORLD_LOCAL_SIZE: "4" }
    expect(launchOf(open)).toEqual({ by: "mpirun", kind: "Open MPI", size: 8, rank: 5, local: 4 })
    expect(launchOf({ PMI_SIZE: "4", PMI_RANK: "0", MPI_LOCALNRANKS: "2" })).toEqual({
      by: "mpirun",
      kind: "MPICH",
      size: 4,
      rank: 0,
      local: 2,
    })
    const slurm = { SLURM_STEP_NUM_TASKS: "6", SLURM_PROCID: "3", SLURM_STEP_TASKS_PER_NODE: "2(x3)" }
    expect(launchOf(slurm)).toEqual({ by: "srun", kind: null, size: 6, rank: 3, local: 2 })
  })

  it("is none for a process by itself, for a batch script, and where it is switched off", () => {
    expect(launchOf({})).toBeNull()
    expect(launchOf({ OMPI_COMM_WORLD_SIZE: "1", OMPI_COMM_WORLD_RANK: "0" })).toBeNull()
    expect(launchOf({ SLURM_NTASKS: "4", SLURM_PROCID: "0" })).toBeNull()
    expect(launchOf({ PMI_SIZE: "4", PMI_RANK: "0", FOURTIER_MPI: "off" })).toBeNull()
  })

  it("gives each process its part of the machine's cores, or those that it is bound to", () => {
    expect(threadsOf({ local: 4 }, 16, 16)).toBe(4)
    expect(threadsOf({ local: 4 }, 4, 16)).toBe(4)
    expect(threadsOf({ local: 4 }, 1, 16)).toBe(1)
    expect(threadsOf({ local: 4 }, 2, 2)).toBe(1)
  })
})
