/** What a pickle can hold here: plain data, inert objects, and tensors described by where their bytes lie. */

import type { StoredType } from "@fourtier/tensor/node"

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tuple
  | List
  | Dict
  | Global
  | Instance
  | Storage
  | TensorRef

export class Tuple {
  readonly items: readonly Value[]
  constructor(items: readonly Value[]) {
    this.items = items
  }
}

/** A list or set. */
export class List {
  readonly items: Value[]
  constructor(items: Value[] = []) {
    this.items = items
  }
}

export class Dict {
  readonly entries = new Map<Value, Value>()
}

/** The name of a class or function, "module.name". Only names on the list of the reader become one. */
export class Global {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** An object of a known harmless class: its name, its attributes and items, and nothing of its behaviour. */
export class Instance {
  readonly className: string
  readonly attributes = new Dict()
  constructor(className: string) {
    this.className = className
  }
}

/** A run of elements in the file. */
export class Storage {
  readonly key: string
  readonly type: StoredType
  /** Number of elements. */
  readonly count: number
  /** Where its bytes begin in the file. Set once known. */
  offset = -1
  /** CRC-32 of its bytes, where the file gives one. */
  crc: number | undefined

  constructor(key: string, type: StoredType, count: number) {
    this.key = key
    this.type = type
    this.count = count
  }
}

/** A tensor: a view of a storage. Sizes, strides and offset count elements and are checked against the storage. */
export class TensorRef {
  readonly storage: Storage
  readonly type: StoredType
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(
    storage: Storage,
    type: StoredType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage
    this.type = type
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

/** A short description for errors. */
export function describeValue(value: Value): string {
  if (value === null) return "None"
  if (value instanceof Global) return value.name
  if (value instanceof Instance) return `an object of ${value.className}`
  if (typeof value === "object") return value.constructor.name
  return typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value).slice(0, 60)
}
