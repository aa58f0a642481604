/**
 * A hash table from 128-bit keys to places in a file, held in typed arrays: a million entries take 60 MB and leave nothing
 * to the garbage collector. Open addressing with linear probing; the keys are uniform already (prefixes of SHA-256).
 */

const EMPTY = 0

export interface Place {
  /** Number of the file, up to 65,535. */
  file: number
  offset: number
  length: number
  /** Whatever the caller wants to remember, 1 to 255. */
  mark: number
}

export class KeyIndex {
  #capacity: number
  #words: Uint32Array
  #offsets: Float64Array
  #files: Uint16Array
  #lengths: Uint32Array
  #marks: Uint8Array
  #size = 0
  readonly #parsed = new Uint32Array(4)

  constructor(capacity = 1024) {
    this.#capacity = capacity
    this.#words = new Uint32Array(capacity * 4)
    this.#offsets = new Float64Array(capacity)
    this.#files = new Uint16Array(capacity)
    this.#lengths = new Uint32Array(capacity)
    this.#marks = new Uint8Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** Reads the 32 hexadecimal digits at `at`. @returns false when there are none */
  #parse(bytes: Uint8Array, at: number): boolean {
    for (let word = 0; word < 4; word++) {
      let value = 0
      for (let i = 0; i < 8; i++) {
        const code = bytes[at + word * 8 + i]
        const digit = code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 102 ? code - 87 : -1
        if (digit < 0) return false
        value = (value << 4) | digit
      }
      this.#parsed[word] = value >>> 0
    }
    return true
  }

  #slot(): number {
    const [a, b, c, d] = this.#parsed
    const mask = this.#capacity - 1
    let slot = a & mask
    while (this.#marks[slot] !== EMPTY) {
      const at = slot * 4
      const words = this.#words
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  /**
   * Sets the entry of the key whose 32 hexadecimal digits are at `at`.
   * @returns the mark it had before; 0 when the key is new, -1 when the digits are not a key
   */
  set(bytes: Uint8Array, at: number, { file, offset, length, mark }: Place): number {
    if (!this.#parse(bytes, at)) return -1
    if ((this.#size + 1) * 2 > this.#capacity) {
      const held = Uint32Array.from(this.#parsed)
      this.#grow()
      this.#parsed.set(held)
    }
    const slot = this.#slot()
    const before = this.#marks[slot]
    if (before === EMPTY) {
      this.#size++
      this.#words.set(this.#parsed, slot * 4)
    }
    this.#files[slot] = file
    this.#offsets[slot] = offset
    this.#lengths[slot] = length
    this.#marks[slot] = mark
    return before
  }

  get(key: string): Place | undefined {
    if (!this.#parse(Buffer.from(key, "latin1"), 0)) return undefined
    const slot = this.#slot()
    if (this.#marks[slot] === EMPTY) return undefined
    return this.#placeAt(slot)
  }

  #placeAt(slot: number): Place {
    return {
      file: this.#files[slot],
      offset: this.#offsets[slot],
      length: this.#lengths[slot],
      mark: this.#marks[slot],
    }
  }

  /** The entry of the key whose 32 hexadecimal digits are at `at`. */
  at(bytes: Uint8Array, at: number): Place | undefined {
    if (!this.#parse(bytes, at)) return undefined
    const slot = this.#slot()
    return this.#marks[slot] === EMPTY ? undefined : this.#placeAt(slot)
  }

  /** All places, in no particular order. */
  *places(): Generator<Place> {
    for (let slot = 0; slot < this.#capacity; slot++) {
      if (this.#marks[slot] === EMPTY) continue
      yield this.#placeAt(slot)
    }
  }

  #grow(): void {
    const old = {
      capacity: this.#capacity,
      words: this.#words,
      offsets: this.#offsets,
      files: this.#files,
      lengths: this.#lengths,
      marks: this.#marks,
    }
    this.#capacity *= 2
    this.#words = new Uint32Array(this.#capacity * 4)
    this.#offsets = new Float64Array(this.#capacity)
    this.#files = new Uint16Array(this.#capacity)
    this.#lengths = new Uint32Array(this.#capacity)
    this.#marks = new Uint8Array(this.#capacity)
    for (let from = 0; from < old.capacity; from++) {
      if (old.marks[from] === EMPTY) continue
      this.#parsed.set(old.words.subarray(from * 4, from * 4 + 4))
      const slot = this.#slot()
      this.#words.set(this.#parsed, slot * 4)
      this.#offsets[slot] = old.offsets[from]
      this.#files[slot] = old.files[from]
      this.#lengths[slot] = old.lengths[from]
      this.#marks[slot] = old.marks[from]
    }
  }
}
