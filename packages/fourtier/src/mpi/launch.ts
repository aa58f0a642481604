/** Whether this process was started together with others, by `mpirun` or `srun`: read from the environment, before MPI is loaded. */

export interface Launch {
  /** Who started it, as errors name it. */
  by: "mpirun" | "srun"
  /** Which kind of MPI that was, as far as the environment tells. */
  kind: "Open MPI" | "MPICH" | null
  /** Processes in all. */
  size: number
  /** This one among them, from 0. */
  rank: number
  /** Those on this machine. */
  local: number
}

/** "off": every process counts as alone; else the file of the MPI library. */
export const MPI_VARIABLE = "FOURTIER_MPI"

/**
 * What the environment says of the launch; null where this process is alone.
 *
 * @example
 * ```ts
 * import { launchOf } from "fourtier"
 *
 * launchOf({ OMPI_COMM_WORLD_SIZE: "4", OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_LOCAL_SIZE: "2" })
 * // { by: "mpirun", kind: "Open MPI", size: 4, rank: 1, local: 2 }
 * ```
 */
export function launchOf(env: NodeJS.ProcessEnv = process.env): Launch | null {
  if (env[MPI_VARIABLE] === "off") return null
  const number = (name: string) => (/^\d+$/.test(env[name] ?? "") ? Number(env[name]) : null)
  const found = (by: Launch["by"], kind: Launch["kind"], names: { size: string; rank: string; local?: string }) => {
    const [size, rank] = [number(names.size), number(names.rank)]
    if (size === null || rank === null || size < 2) return null
    const local = names.local === undefined ? slurmLocal(env) : number(names.local)
    return { by, kind, size, rank, local: Math.min(size, local ?? size) }
  }
  return (
    found("mpirun", "Open MPI", {
      size: "OMPI_COMM_WORLD_SIZE",
      rank: "OMPI_COMM_WORLD_RANK",
      local: "OMPI_COMM_WORLD_LOCAL_SIZE",
    }) ??
    found("mpirun", "MPICH", { size: "PMI_SIZE", rank: "PMI_RANK", local: "MPI_LOCALNRANKS" }) ??
    found("srun", null, { size: "SLURM_STEP_NUM_TASKS", rank: "SLURM_PROCID" })
  )
}

/** Tasks on a machine where Slurm names them for all: "4(x2)", "4,3". The largest, for threads never crowd a machine then. */
function slurmLocal({ SLURM_STEP_TASKS_PER_NODE: text }: NodeJS.ProcessEnv): number | null {
  const counts = (text ?? "").split(",").flatMap((part) => /^\d+/.exec(part)?.[0] ?? [])
  return counts.length > 0 ? Math.max(...counts.map(Number)) : null
}

/**
 * Threads of each process where several share a machine: the cores that it may use, but no more than its part of all.
 *
 * @param usable cores that this process may use: fewer than the machine has where the launcher binds it to some
 */
export function threadsOf({ local }: Pick<Launch, "local">, usable: number, cores: number): number {
  return Math.max(1, Math.min(usable, Math.floor(cores / local)))
}
