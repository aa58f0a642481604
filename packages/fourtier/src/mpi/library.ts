/**
 * The system's MPI library, called through FFI. MPI fixes what functions do, not what handles are: in Open MPI they are addresses of
 * objects, in MPICH and all that share its binary interface (Intel MPI, MVAPICH, Cray MPICH) numbers.
 */

import { FourtierError, messageOf } from "@fourtier/tensor"
import type { KoffiFunc, LibraryHandle } from "koffi"
import { loadPackage, type OptionalPackage } from "../util/optional.ts"
import { type Launch, MPI_VARIABLE } from "./launch.ts"

export const KOFFI: OptionalPackage = { name: "koffi", version: "3.3.4" }

type Handle = number | bigint
type Address = Float32Array | Uint8Array | bigint | null

interface Handles {
  world: Handle
  float: Handle
  byte: Handle
  sum: Handle
  /** Stands for a sending buffer that is the receiving one. */
  inPlace: bigint
  ignoredStatus: bigint | null
}

export interface MpiLibrary extends Handles {
  /** As the library calls itself: "Open MPI v4.1.4". */
  version: string
  init: (argc: null, argv: null, required: number, provided: number[]) => number
  finalize: () => number
  abort: (communicator: Handle, code: number) => number
  rank: (communicator: Handle, rank: number[]) => number
  size: (communicator: Handle, size: number[]) => number
  /** Whether a message waits. */
  probe: (from: number, tag: number, communicator: Handle, flag: number[], status: bigint | null) => number
  receive: KoffiFunc<
    (
      to: Address,
      count: number,
      type: Handle,
      from: number,
      tag: number,
      world: Handle,
      status: bigint | null,
    ) => number
  >
  send: KoffiFunc<(from: Address, count: number, type: Handle, to: number, tag: number, communicator: Handle) => number>
  allReduce: KoffiFunc<
    (from: Address, to: Address, count: number, type: Handle, op: Handle, communicator: Handle) => number
  >
  allGather: KoffiFunc<
    (from: Address, n: number, type: Handle, to: Address, each: number, same: Handle, communicator: Handle) => number
  >
  broadcast: KoffiFunc<(data: Address, count: number, type: Handle, root: number, communicator: Handle) => number>
}

/** Names of the library, the launcher's own kind first: the other kind's sees a single process. */
const NAMES = {
  "Open MPI": ["libmpi.so.40", "libmpi.so.80", "libmpi.40.dylib"],
  MPICH: ["libmpich.so.12", "libmpi.so.12", "libmpi_cray.so.12", "libmpi.12.dylib"],
  any: ["libmpi.so", "libmpich.so", "libmpi.dylib"],
}

/** Calls run on threads with stacks of this size: MPICH over UCX overruns the 128 KiB that they have otherwise. */
const STACK_BYTES = 8 * 2 ** 20

/**
 * Loads the library.
 * @throws FourtierError where the package koffi or the library is missing
 */
export async function loadMpi(launch: Launch): Promise<MpiLibrary> {
  const where = startedBy(launch)
  const koffi = await loadPackage(KOFFI, () => import("koffi"), where)
  koffi.config({ async_stack_size: STACK_BYTES, resident_async_pools: 1 })
  const wanted = process.env[MPI_VARIABLE]
  const { "Open MPI": open, MPICH: mpich, any } = NAMES
  const names = wanted ? [wanted] : launch.kind === "MPICH" ? [...mpich, ...any, ...open] : [...open, ...mpich, ...any]
  const failures: string[] = []
  for (const name of names) {
    try {
      return functionsOf(koffi.load(name, { global: true, lazy: true }))
    } catch (error) {
      failures.push(messageOf(error).split("\n")[0])
    }
  }
  throw new FourtierError({
    where,
    what: "the system's MPI library cannot be loaded",
    expected: names.join(", "),
    found: failures[0],
    fix: `install it (Debian: openmpi-bin or mpich) or load its module, or name its file: ${MPI_VARIABLE}=/path/to/libmpi.so; ${MPI_VARIABLE}=off lets every process run by itself`,
  })
}

/** "4 processes started by mpirun" */
export const startedBy = ({ size, by }: Launch): string => `${size} processes started by ${by}`

function functionsOf(library: LibraryHandle): MpiLibrary {
  const version = versionOf(library)
  const open = version.startsWith("Open MPI")
  const H = open ? "void *" : "int"
  const handles: Handles = open
    ? {
        world: library.symbol("ompi_mpi_comm_world"),
        float: library.symbol("ompi_mpi_float"),
        byte: library.symbol("ompi_mpi_byte"),
        sum: library.symbol("ompi_mpi_op_sum"),
        inPlace: 1n,
        ignoredStatus: null,
      }
    : {
        world: 0x44000000,
        float: 0x4c00040a,
        byte: 0x4c00010d,
        sum: 0x58000003,
        inPlace: 2n ** 64n - 1n,
        ignoredStatus: 1n,
      }
  return {
    version,
    ...handles,
    init: library.func("int MPI_Init_thread(void *argc, void *argv, int required, _Out_ int *provided)"),
    finalize: library.func("int MPI_Finalize()"),
    abort: library.func(`int MPI_Abort(${H} communicator, int code)`),
    rank: library.func(`int MPI_Comm_rank(${H} communicator, _Out_ int *rank)`),
    size: library.func(`int MPI_Comm_size(${H} communicator, _Out_ int *size)`),
    probe: library.func(`int MPI_Iprobe(int source, int tag, ${H} communicator, _Out_ int *flag, void *status)`),
    receive: library.func(
      `int MPI_Recv(void *to, int count, ${H} type, int source, int tag, ${H} communicator, void *status)`,
    ),
    send: library.func(`int MPI_Send(void *from, int count, ${H} type, int to, int tag, ${H} communicator)`),
    allReduce: library.func(
      `int MPI_Allreduce(void *from, void *to, int count, ${H} type, ${H} op, ${H} communicator)`,
    ),
    allGather: library.func(
      `int MPI_Allgather(void *from, int n, ${H} type, void *to, int each, ${H} same, ${H} communicator)`,
    ),
    broadcast: library.func(`int MPI_Bcast(void *data, int count, ${H} type, int root, ${H} communicator)`),
  }
}

/** MPI_MAX_LIBRARY_VERSION_STRING of MPICH; that of Open MPI is smaller. */
const LONGEST_VERSION = 8192

function versionOf(library: LibraryHandle): string {
  const text = Buffer.alloc(LONGEST_VERSION)
  const length = [0]
  library.func("int MPI_Get_library_version(_Out_ uint8_t *text, _Out_ int *length)")(text, length)
  const [first] = text.toString("latin1", 0, length[0]).split("\n")
  // "Open MPI v4.1.4, package: …", "MPICH Version:      4.0.2"
  return first.split(",")[0].replaceAll(/\s+/g, " ").replace(" Version:", "").replaceAll("\0", "").trim()
}
