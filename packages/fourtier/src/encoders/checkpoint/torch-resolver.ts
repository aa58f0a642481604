/**
 * What the names in a PyTorch pickle stand for. Names fall into three lists: storages and functions that rebuild tensors
 * (done by us), containers, and classes of settings that checkpoints carry along (kept as inert objects). Every other
 * name is refused.
 */

import { countOf, type StoredType, storedBytes } from "@fourtier/tensor/node"
import { corrupt, refused } from "./errors.ts"
import type { PickleResolver } from "./pickle.ts"
import { Dict, describeValue, Global, Instance, List, Storage, TensorRef, Tuple, type Value } from "./values.ts"

const STORAGE_TYPES = new Map<string, StoredType>([
  ["torch.DoubleStorage", "f64"],
  ["torch.FloatStorage", "f32"],
  ["torch.HalfStorage", "f16"],
  ["torch.BFloat16Storage", "bf16"],
  ["torch.LongStorage", "i64"],
  ["torch.IntStorage", "i32"],
  ["torch.ShortStorage", "i16"],
  ["torch.CharStorage", "i8"],
  ["torch.ByteStorage", "u8"],
  ["torch.BoolStorage", "bool"],
  ["torch.storage.UntypedStorage", "u8"],
  ["torch.UntypedStorage", "u8"],
])

const TENSOR_TYPES = new Map<string, StoredType>([
  ["torch.float64", "f64"],
  ["torch.float32", "f32"],
  ["torch.float16", "f16"],
  ["torch.bfloat16", "bf16"],
  ["torch.int64", "i64"],
  ["torch.int32", "i32"],
  ["torch.int16", "i16"],
  ["torch.int8", "i8"],
  ["torch.uint64", "u64"],
  ["torch.uint32", "u32"],
  ["torch.uint16", "u16"],
  ["torch.uint8", "u8"],
  ["torch.bool", "bool"],
])

/** Functions and containers that `call` knows. */
const CALLABLES = new Set([
  "torch._utils._rebuild_tensor",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_tensor_v3",
  "torch._utils._rebuild_parameter",
  "torch._utils._rebuild_parameter_with_state",
  "torch._tensor._rebuild_from_type_v2",
  "collections.OrderedDict",
  "collections.defaultdict",
  "collections.Counter",
  "builtins.dict",
  "__builtin__.dict",
  "builtins.list",
  "__builtin__.list",
  "builtins.set",
  "__builtin__.set",
  "torch.Size",
  "torch.jit._pickle.build_intlist",
  "torch.jit._pickle.build_doublelist",
  "torch.jit._pickle.build_boollist",
  "torch.jit._pickle.build_tensorlist",
  "torch.jit._pickle.restore_type_tag",
])

/** Classes of settings, numbers and paths that training scripts leave in checkpoints: kept as names with attributes. */
const INERT = new Set([
  "torch.Tensor",
  "torch.nn.parameter.Parameter",
  "torch.nn.parameter.Buffer",
  "torch.device",
  "torch.serialization._get_layout",
  "_codecs.encode",
  "argparse.Namespace",
  "yacs.config.CfgNode",
  "fvcore.common.config.CfgNode",
  "numpy.dtype",
  "numpy.ndarray",
  "numpy.core.multiarray.scalar",
  "numpy.core.multiarray._reconstruct",
  "numpy._core.multiarray.scalar",
  "numpy._core.multiarray._reconstruct",
  "pathlib.Path",
  "pathlib.PosixPath",
  "pathlib.PurePosixPath",
  "pathlib.WindowsPath",
  "pathlib.PureWindowsPath",
  "datetime.datetime",
  "datetime.date",
  "datetime.timedelta",
  "builtins.int",
  "builtins.float",
  "builtins.str",
  "__builtin__.int",
  "__builtin__.float",
  "__builtin__.unicode",
  "__builtin__.str",
])

const MAX_RANK = 32
/** A tensor that repeats its storage's elements (an expanded one) may be this large even when the storage is small. */
const MAX_EXPANDED_BYTES = 64e6

/** Finds a storage of the file, or throws. Called once per storage. */
export type FindStorage = (key: string, type: StoredType, count: number) => Storage

/** The resolver of one PyTorch file. */
export class TorchResolver implements PickleResolver {
  readonly #path: string
  readonly #find: FindStorage
  readonly #storages = new Map<string, Storage>()

  constructor(path: string, find: FindStorage) {
    this.#path = path
    this.#find = find
  }

  /** All storages that were named, by key. */
  get storages(): ReadonlyMap<string, Storage> {
    return this.#storages
  }

  global(name: string): Value {
    const known =
      STORAGE_TYPES.has(name) ||
      TENSOR_TYPES.has(name) ||
      CALLABLES.has(name) ||
      INERT.has(name) ||
      // Classes of a TorchScript archive: their code lies beside the data and is not looked at.
      name.startsWith("__torch__.")
    if (!known) throw refused(this.#path, "pickle names a class or function that is not on the list", name)
    return new Global(name)
  }

  call({ name }: Global, args: readonly Value[]): Value {
    switch (name) {
      case "torch._utils._rebuild_tensor":
      case "torch._utils._rebuild_tensor_v2":
        return this.#tensor(args, undefined)
      case "torch._utils._rebuild_tensor_v3":
        return this.#tensor(args, args[6])
      case "torch._utils._rebuild_parameter":
      case "torch._utils._rebuild_parameter_with_state":
      case "torch.jit._pickle.restore_type_tag":
      case "torch.jit._pickle.build_intlist":
      case "torch.jit._pickle.build_doublelist":
      case "torch.jit._pickle.build_boollist":
      case "torch.jit._pickle.build_tensorlist":
        if (args.length === 0) throw corrupt(this.#path, `no arguments for ${name}`)
        return args[0]
      case "torch._tensor._rebuild_from_type_v2": {
        const [fn, , inner] = args
        if (!(fn instanceof Global) || !(inner instanceof Tuple)) throw corrupt(this.#path, `arguments of ${name}`)
        if (fn.name === name) throw refused(this.#path, "pickle nests a call", name)
        return this.call(fn, inner.items)
      }
      case "collections.OrderedDict":
      case "collections.defaultdict":
      case "collections.Counter":
      case "builtins.dict":
      case "__builtin__.dict":
        return this.#dict(args)
      case "builtins.list":
      case "__builtin__.list":
      case "builtins.set":
      case "__builtin__.set":
      case "torch.Size":
        return new List(args[0] instanceof List || args[0] instanceof Tuple ? [...args[0].items] : [])
      default:
        if (INERT.has(name) || name.startsWith("__torch__.")) return new Instance(name)
        throw refused(this.#path, "pickle calls something that is not a function", name)
    }
  }

  /** ("storage", type, key, device, number of elements), in old files with a view of another storage behind it. */
  persistent(id: Value): Value {
    if (!(id instanceof Tuple) || id.items[0] !== "storage") {
      throw refused(this.#path, "pickle refers to something outside", describeValue(id))
    }
    const [, global, key, , count, view] = id.items
    const type = global instanceof Global ? STORAGE_TYPES.get(global.name) : undefined
    if (!type) throw refused(this.#path, "storage of a type that is not read", describeValue(global ?? null))
    if (view !== null && view !== undefined)
      throw refused(this.#path, "storage is a view of another", "a file of PyTorch 0.1")
    if (typeof key !== "string" && typeof key !== "number") throw corrupt(this.#path, "a storage without a name")
    const elements = this.#size(count, "storage size")
    const known = this.#storages.get(String(key))
    if (known) {
      if (known.type !== type || known.count !== elements) throw corrupt(this.#path, `two kinds of storage ${key}`)
      return known
    }
    const storage = this.#find(String(key), type, elements)
    this.#storages.set(String(key), storage)
    return storage
  }

  /** (storage, offset, size, strides, ...) */
  #tensor(args: readonly Value[], as: Value | undefined): TensorRef {
    const [storage, offsetValue, shapeValue, stridesValue] = args
    if (!(storage instanceof Storage)) throw corrupt(this.#path, "a tensor without a storage")
    const declared = as instanceof Global ? TENSOR_TYPES.get(as.name) : undefined
    if (as !== undefined && !declared) throw refused(this.#path, "tensor of a type that is not read", describeValue(as))
    const type = declared ?? storage.type
    const elements = Math.floor((storage.count * storedBytes[storage.type]) / storedBytes[type])
    const offset = this.#size(offsetValue, "tensor offset")
    const shape = this.#sizes(shapeValue, "tensor shape")
    const strides = this.#sizes(stridesValue, "tensor strides")
    const found = `a tensor [${shape.join(", ")}] with strides [${strides.join(", ")}] at ${offset}`
    if (shape.length !== strides.length || shape.length > MAX_RANK) throw corrupt(this.#path, found)
    const count = countOf(shape)
    if (count > 0) {
      const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], offset)
      if (!(last < elements)) throw corrupt(this.#path, `${found} in a storage of ${elements} elements`)
      if (count > elements && !(count * storedBytes[type] <= MAX_EXPANDED_BYTES)) {
        throw refused(this.#path, "tensor is far larger than its data", found)
      }
    }
    return new TensorRef(storage, type, offset, shape, strides)
  }

  #dict(args: readonly Value[]): Dict {
    const dict = new Dict()
    const items = args.at(-1)
    if (items instanceof Dict) for (const [key, value] of items.entries) dict.entries.set(key, value)
    if (items instanceof List || items instanceof Tuple) {
      for (const pair of items.items) {
        if (!(pair instanceof List || pair instanceof Tuple) || pair.items.length !== 2) {
          throw corrupt(this.#path, "dictionary items that are no pairs")
        }
        dict.entries.set(pair.items[0], pair.items[1])
      }
    }
    return dict
  }

  #sizes(value: Value | undefined, what: string): number[] {
    if (!(value instanceof Tuple || value instanceof List)) throw corrupt(this.#path, `${what} that is no tuple`)
    return value.items.map((item) => this.#size(item, what))
  }

  #size(value: Value | undefined, what: string): number {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw corrupt(this.#path, `${what} ${describeValue(value ?? null)}`)
    }
    return value
  }
}
