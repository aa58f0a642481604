/**
 * Where the studio lives: the browser alone (`PageHome`: clips in the origin's private files, training in a worker), or a server
 * (`ServerHome`: the addresses of `api.ts`). The screens know this interface and nothing else.
 */

import type * as api from "../../fourtier/src/studio/api.ts"

export type { api }

export interface Home {
  readonly kind: "page" | "server"
  state(): Promise<api.StudioState>
  clips(): Promise<api.Clip[]>
  /** Calls back whenever something changes, whoever changed it. @returns what ends it */
  watch(listener: (event: api.StudioEvent) => void): () => void

  /** Takes a file in; it is there, as a whole or not at all, when this returns. */
  add(name: string, label: string | null, file: Blob): Promise<api.Clip>
  /** A growing recording: what was written survives the page. */
  record(name: string, label: string | null, type: string): Promise<Recording>
  change(change: api.ClipChange): Promise<api.Clip[]>
  /** Deletes removed clips with their files; null: this home deletes nothing. */
  readonly erase: ((ids: string[]) => Promise<void>) | null
  /** Makes clips of stretches of a clip's file; nothing is encoded anew. */
  cut(id: string, cuts: api.Cut[]): Promise<api.Clip[]>
  /** An address of the clip's whole file for a video element; the caller calls `free` when it is done with it. */
  media(id: string): Promise<{ url: string; free(): void }>
  /** Names the clip's file: stretches of one file have the same. */
  fileOf(id: string): string
  /** The clip's whole file. */
  file(id: string): Promise<Blob>
  setClasses(classes: string[]): Promise<string[]>

  train(settings: api.TrainSettings): Promise<void>
  /** Ends after the running update; `train({ resume: true })` goes on from there. */
  stopTraining(): Promise<void>
  report(): Promise<api.StudioReport | null>
  /** Clips without a class that would teach most, with a guess. */
  suggestions(): Promise<api.Suggestion[]>

  /** Names of the bundle's files; none before there is one. */
  bundleFiles(): Promise<string[]>
  bundleFile(name: string): Promise<Blob>

  /** Null: nothing is described here. */
  readonly describe: DescribeHome | null
}

export interface Recording {
  write(chunk: Blob): Promise<void>
  /** Makes a clip of what was written. */
  finish(): Promise<api.Clip>
  /** Throws it away. */
  abort(): Promise<void>
}

/** What a home can do where clips are described. */
export interface DescribeHome {
  /** An address of the clip's key frames as one picture; the caller calls `free` when it is done with it. */
  strip(id: string): Promise<{ url: string; free(): void }>
  answers(id: string): Promise<api.Answer[]>
  setAnswers(id: string, answers: api.Answer[]): Promise<api.Answer[]>
  describe(request: api.DescribeRequest): Promise<api.Describing>
  stop(): Promise<void>
  /** Who is asked, where the page itself asks; null: the server's settings say it. */
  readonly endpoint: EndpointHome | null
}

/** A server of a model. It is known as long as the page is open, and is not stored. */
export interface Endpoint {
  /** Of its protocol, OpenAI's: "http://localhost:11434/v1". */
  url: string
  model: string
  /** Empty: none. */
  key: string
}

export interface EndpointHome {
  get(): Endpoint | null
  set(endpoint: Endpoint | null): void
}
