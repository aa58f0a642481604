/**
 * A restricted machine for Python pickles (protocols 0 to 5, https://docs.python.org/3/library/pickletools.html). It
 * builds plain data. It has no way to run code: what a name means, and what "calling" it yields, is up to a `PickleResolver`
 * that knows a fixed list of names and refuses all others.
 */

import type { ByteCursor } from "./bytes.ts"
import { corrupt, refused } from "./errors.ts"
import { Dict, describeValue, Global, Instance, List, TensorRef, Tuple, type Value } from "./values.ts"

/** What the names, calls and persistent ids of a pickle stand for: `find_class` and `persistent_load` of Python's Unpickler. */
export interface PickleResolver {
  /** The value for a name, or throws. */
  global(name: string): Value
  /** The object that stands for `fn(*args)`, or throws. */
  call(fn: Global, args: readonly Value[]): Value
  /** The object for a persistent id, or throws. */
  persistent(id: Value): Value
}

/** Far more than any checkpoint needs; bounds the memory that a hostile pickle can take. */
const MAX_STEPS = 2_000_000
const MAX_LONG_BYTES = 256

const MARK = Symbol("mark")

/** Reads one pickle; the cursor stands behind it afterwards. Throws FourtierError on malformed or refused content. */
export function readPickle(cursor: ByteCursor, resolver: PickleResolver): Value {
  const machine = new Machine(cursor, resolver)
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const opcode = cursor.byte()
    if (opcode === 0x2e) return machine.pop()
    const step = OPCODES.get(opcode)
    if (!step) throw corrupt(cursor.path, `unknown pickle instruction 0x${opcode.toString(16)}`)
    step(machine)
  }
  throw refused(cursor.path, "pickle with too many instructions", `more than ${MAX_STEPS}`)
}

class Machine {
  readonly cursor: ByteCursor
  readonly resolver: PickleResolver
  readonly #stack: (Value | typeof MARK)[] = []
  readonly #memo = new Map<number, Value>()

  constructor(cursor: ByteCursor, resolver: PickleResolver) {
    this.cursor = cursor
    this.resolver = resolver
  }

  push(value: Value): void {
    this.#stack.push(value)
  }

  mark(): void {
    this.#stack.push(MARK)
  }

  pop(): Value {
    const value = this.#stack.pop()
    if (value === undefined || value === MARK) throw this.corrupt("a pickle that takes a value that is not there")
    return value
  }

  /** POP may also remove a mark. */
  discard(): void {
    if (this.#stack.pop() === undefined) throw this.corrupt("a pickle that takes a value that is not there")
  }

  top(): Value {
    const value = this.#stack.at(-1)
    if (value === undefined || value === MARK) throw this.corrupt("a pickle that takes a value that is not there")
    return value
  }

  /** The values above the last mark, which go with it. */
  popMark(): Value[] {
    const at = this.#stack.lastIndexOf(MARK)
    if (at < 0) throw this.corrupt("a pickle without a mark")
    const values: Value[] = []
    for (const value of this.#stack.splice(at).slice(1)) if (value !== MARK) values.push(value)
    return values
  }

  put(index: number): void {
    this.#memo.set(index, this.top())
  }

  memoize(): void {
    this.put(this.#memo.size)
  }

  get(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.corrupt(`a pickle that recalls value ${index}, which it never stored`)
    this.push(value)
  }

  append(target: Value, values: readonly Value[]): void {
    if (target instanceof List) for (const value of values) target.items.push(value)
    else if (!(target instanceof Instance)) throw this.corrupt(`items added to ${describeValue(target)}`)
  }

  setItems(target: Value, values: readonly Value[]): void {
    if (values.length % 2 !== 0) throw this.corrupt("a dictionary key without a value")
    const dict = target instanceof Instance ? target.attributes : target
    if (!(dict instanceof Dict)) throw this.corrupt(`keys set in ${describeValue(target)}`)
    for (let i = 0; i < values.length; i += 2) dict.entries.set(values[i], values[i + 1])
  }

  dict(values: readonly Value[]): Dict {
    const dict = new Dict()
    this.setItems(dict, values)
    return dict
  }

  call(fn: Value, args: Value): void {
    if (!(fn instanceof Global)) throw refused(this.cursor.path, "pickle calls something", describeValue(fn))
    if (!(args instanceof Tuple)) throw this.corrupt(`arguments that are not a tuple for ${fn.name}`)
    this.push(this.resolver.call(fn, args.items))
  }

  /** Object state: attributes of an inert object are kept, those of data (a dictionary's metadata) are dropped. */
  build(target: Value, state: Value): void {
    if (target instanceof Instance) {
      const parts = state instanceof Tuple ? state.items : [state]
      for (const part of parts) {
        if (!(part instanceof Dict)) continue
        for (const [key, value] of part.entries) target.attributes.entries.set(key, value)
      }
    } else if (!(target instanceof Dict || target instanceof List || target instanceof TensorRef)) {
      throw refused(this.cursor.path, "pickle sets the state of something", describeValue(target))
    }
  }

  text(length: number): string {
    const bytes = this.cursor.take(length)
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    } catch {
      throw this.corrupt("text that is not UTF-8")
    }
  }

  /** Text of Python 2. */
  latin(length: number): string {
    return this.cursor.take(length).toString("latin1")
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from(this.cursor.take(length))
  }

  u16(): number {
    return this.cursor.take(2).readUInt16LE(0)
  }

  u32(): number {
    return this.cursor.take(4).readUInt32LE(0)
  }

  u64(): number {
    return Number(this.cursor.take(8).readBigUInt64LE(0))
  }

  /** A two's-complement number of `length` bytes, least significant first. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) throw refused(this.cursor.path, "pickle with a huge number", `${length} bytes`)
    if (length === 0) return 0
    const bytes = Buffer.from(this.cursor.take(length)).reverse()
    return narrow(BigInt.asIntN(length * 8, BigInt(`0x${bytes.toString("hex")}`)))
  }

  /** A decimal number on a line of its own. */
  decimal(): number | bigint {
    const digits = this.cursor.line().replace(/L$/, "")
    if (!/^[+-]?\d{1,600}$/.test(digits)) throw this.corrupt(`the number ${JSON.stringify(digits.slice(0, 40))}`)
    return narrow(BigInt(digits))
  }

  index(): number {
    const value = this.decimal()
    if (typeof value !== "number" || value < 0) throw this.corrupt(`memo index ${value}`)
    return value
  }

  corrupt(found: string): Error {
    return corrupt(this.cursor.path, found)
  }
}

type Step = (machine: Machine) => void

function refuse(what: string): Step {
  return (m) => {
    throw refused(m.cursor.path, "pickle uses an instruction that no checkpoint needs", what)
  }
}

/** The instructions by code: their letters in the comments are those of pickletools. */
const OPCODES = new Map<number, Step>([
  // Framing.
  [0x80, (m) => checkProtocol(m)], // PROTO
  [0x95, (m) => void m.cursor.take(8)], // FRAME
  // The stack and the memo.
  [0x28, (m) => m.mark()], // ( MARK
  [0x30, (m) => m.discard()], // 0 POP
  [0x31, (m) => void m.popMark()], // 1 POP_MARK
  [0x32, (m) => m.push(m.top())], // 2 DUP
  [0x70, (m) => m.put(m.index())], // p PUT
  [0x71, (m) => m.put(m.cursor.byte())], // q BINPUT
  [0x72, (m) => m.put(m.u32())], // r LONG_BINPUT
  [0x94, (m) => m.memoize()], // MEMOIZE
  [0x67, (m) => m.get(m.index())], // g GET
  [0x68, (m) => m.get(m.cursor.byte())], // h BINGET
  [0x6a, (m) => m.get(m.u32())], // j LONG_BINGET
  // Numbers and constants.
  [0x4e, (m) => m.push(null)], // N NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x49, (m) => m.push(m.decimal())], // I INT
  [0x4c, (m) => m.push(m.decimal())], // L LONG
  [0x46, (m) => m.push(Number(m.cursor.line()))], // F FLOAT
  [0x4a, (m) => m.push(m.cursor.take(4).readInt32LE(0))], // J BININT
  [0x4b, (m) => m.push(m.cursor.byte())], // K BININT1
  [0x4d, (m) => m.push(m.u16())], // M BININT2
  [0x8a, (m) => m.push(m.long(m.cursor.byte()))], // LONG1
  [0x8b, (m) => m.push(m.long(m.u32()))], // LONG4
  [0x47, (m) => m.push(m.cursor.take(8).readDoubleBE(0))], // G BINFLOAT
  // Texts and bytes.
  [0x53, (m) => m.push(m.cursor.line().slice(1, -1))], // S STRING
  [0x54, (m) => m.push(m.latin(m.u32()))], // T BINSTRING
  [0x55, (m) => m.push(m.latin(m.cursor.byte()))], // U SHORT_BINSTRING
  [0x56, (m) => m.push(m.cursor.line())], // V UNICODE
  [0x58, (m) => m.push(m.text(m.u32()))], // X BINUNICODE
  [0x8c, (m) => m.push(m.text(m.cursor.byte()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.text(m.u64()))], // BINUNICODE8
  [0x42, (m) => m.push(m.bytes(m.u32()))], // B BINBYTES
  [0x43, (m) => m.push(m.bytes(m.cursor.byte()))], // C SHORT_BINBYTES
  [0x8e, (m) => m.push(m.bytes(m.u64()))], // BINBYTES8
  [0x96, (m) => m.push(m.bytes(m.u64()))], // BYTEARRAY8
  // Containers.
  [0x29, (m) => m.push(new Tuple([]))], // ) EMPTY_TUPLE
  [0x74, (m) => m.push(new Tuple(m.popMark()))], // t TUPLE
  [0x85, (m) => m.push(new Tuple([m.pop()]))], // TUPLE1
  [0x86, (m) => pushTuple(m, 2)], // TUPLE2
  [0x87, (m) => pushTuple(m, 3)], // TUPLE3
  [0x5d, (m) => m.push(new List())], // ] EMPTY_LIST
  [0x6c, (m) => m.push(new List(m.popMark()))], // l LIST
  [0x8f, (m) => m.push(new List())], // EMPTY_SET
  [0x91, (m) => m.push(new List(m.popMark()))], // FROZENSET
  [0x7d, (m) => m.push(new Dict())], // } EMPTY_DICT
  [0x64, (m) => m.push(m.dict(m.popMark()))], // d DICT
  [0x61, (m) => appendTo(m, [m.pop()])], // a APPEND
  [0x65, (m) => appendTo(m, m.popMark())], // e APPENDS
  [0x90, (m) => appendTo(m, m.popMark())], // ADDITEMS
  [0x73, (m) => setOne(m)], // s SETITEM
  [0x75, (m) => setMany(m)], // u SETITEMS
  // Names, calls and objects: all through the resolver.
  [0x63, (m) => pushGlobal(m, m.cursor.line(), m.cursor.line())], // c GLOBAL
  [0x93, (m) => stackGlobal(m)], // STACK_GLOBAL
  [0x52, (m) => callTop(m)], // R REDUCE
  [0x81, (m) => callTop(m)], // NEWOBJ
  [0x62, (m) => buildTop(m)], // b BUILD
  [0x51, (m) => m.push(m.resolver.persistent(m.pop()))], // Q BINPERSID
  [0x50, refuse("PERSID")],
  [0x92, refuse("NEWOBJ_EX")],
  [0x69, (m) => refuse(`INST of ${m.cursor.line()}.${m.cursor.line()}`)(m)], // i INST
  [0x6f, refuse("OBJ")],
  [0x82, refuse("EXT1")],
  [0x83, refuse("EXT2")],
  [0x84, refuse("EXT4")],
  [0x97, refuse("NEXT_BUFFER")],
  [0x98, refuse("READONLY_BUFFER")],
])

function checkProtocol(m: Machine): void {
  const protocol = m.cursor.byte()
  if (protocol > 5) throw m.corrupt(`pickle protocol ${protocol}`)
}

function pushTuple(m: Machine, length: number): void {
  const items = Array.from({ length }, () => m.pop()).reverse()
  m.push(new Tuple(items))
}

function appendTo(m: Machine, values: readonly Value[]): void {
  m.append(m.top(), values)
}

function setOne(m: Machine): void {
  const value = m.pop()
  const key = m.pop()
  m.setItems(m.top(), [key, value])
}

function setMany(m: Machine): void {
  const values = m.popMark()
  m.setItems(m.top(), values)
}

function pushGlobal(m: Machine, module: string, name: string): void {
  m.push(m.resolver.global(`${module}.${name}`))
}

function stackGlobal(m: Machine): void {
  const name = m.pop()
  const module = m.pop()
  if (typeof name !== "string" || typeof module !== "string") throw m.corrupt("a name that is no text")
  pushGlobal(m, module, name)
}

function callTop(m: Machine): void {
  const args = m.pop()
  m.call(m.pop(), args)
}

function buildTop(m: Machine): void {
  const state = m.pop()
  m.build(m.top(), state)
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
