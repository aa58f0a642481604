/** The answers about single clips, as training would use them, and those that people write. */

import { existsSync } from "node:fs"
import { basename } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import type { Config } from "../config.ts"
import { readRecords } from "../describe/answer-formats.ts"
import { answersBeside, clipsByName, editBeside } from "../describe/beside.ts"
import { folderStrips, stripFolder } from "../describe/folder-strips.ts"
import { answersAbout, editAnswer, putAnswer, withCache } from "../describe/manage.ts"
import type { Prompt } from "../describe/prompts.ts"
import { openProvider } from "../describe/providers.ts"
import { promptsOf } from "../requirements.ts"
import { cacheFolders } from "../util/cache-folders.ts"
import type { Clip } from "../video/manifest.ts"
import type { Answer } from "./api.ts"
import { modelOf } from "./describing.ts"

/** The author of answers beside the data that are written here. */
const BY_HAND = "by hand"

const LONGEST_ANSWER = 10_000

export class AnswerBook {
  readonly #data: string
  readonly #config: Config
  #turn: Promise<unknown> = Promise.resolve()

  constructor(data: string, config: Config) {
    this.#data = data
    this.#config = config
  }

  get #prompts(): readonly Prompt[] {
    return promptsOf(this.#config).prompts
  }

  get #cache(): string {
    return cacheFolders(this.#config.cache).answers
  }

  /** The file of answers that training reads; null where a model is asked, whose answers are in the cache. */
  get #file(): string | null {
    const { describe } = this.#config
    if (describe === null) return answersBeside(this.#data)
    return describe.kind === "replay" ? describe.file : null
  }

  /** What is answered about each of these clips, by the manifest's id; clips without any answer are left out. */
  async about(clips: readonly Clip[]): Promise<Map<string, Answer[]>> {
    const found = new Map<string, Map<string, Answer>>()
    const put = (clip: string, answer: Answer) => {
      const own = found.get(clip) ?? new Map<string, Answer>()
      found.set(clip, own.set(answer.prompt, answer))
    }
    const file = this.#file
    if (file !== null) {
      const byName = clipsByName(clips)
      if (!existsSync(file)) return new Map()
      for await (const { clip: name, prompt, answer, model } of readRecords(file)) {
        const clip = byName.get(name)
        if (clip) put(clip.id, { prompt, text: answer, byHand: model === BY_HAND, flags: [] })
      }
    } else {
      const model = modelOf(this.#config, this.#data)
      await withCache(this.#cache, (cache) => {
        for (const answer of answersAbout(cache, clips)) {
          if (answer.model !== model) continue
          const { prompt, answer: text, by, flags = [] } = answer
          put(answer.clip, { prompt, text, byHand: by === "edit", flags: [...flags] })
        }
      })
    }
    const order = this.#prompts.map(({ id }) => id)
    return new Map([...found].map(([clip, own]) => [clip, order.flatMap((id) => own.get(id) ?? [])] as const))
  }

  /** How many of the clips have an answer to every prompt that is sound. */
  async complete(clips: readonly Clip[]): Promise<number> {
    const answers = await this.about(clips)
    const sound = (own: readonly Answer[]) => own.filter(({ flags, text }) => flags.length === 0 && text !== "").length
    return clips.filter(({ id }) => sound(answers.get(id) ?? []) === this.#prompts.length).length
  }

  /**
   * Replaces answers about a clip by those that a person has written; others stay.
   * @throws FourtierError for prompts that are not there, and files that are not written here
   */
  write(clip: Clip, answers: readonly Pick<Answer, "prompt" | "text">[]): Promise<void> {
    const done = this.#turn.then(() => this.#write(clip, answers))
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #write(clip: Clip, answers: readonly Pick<Answer, "prompt" | "text">[]): Promise<void> {
    const known = new Map((await this.about([clip])).get(clip.id)?.map((answer) => [answer.prompt, answer]))
    for (const { prompt: id, text } of answers) {
      const prompt = this.#prompts.find((own) => own.id === id)
      if (!prompt) {
        const expected = this.#prompts.map((own) => own.id).join(", ")
        throw new FourtierError({ where: "prompt", what: "there is no such prompt", expected, found: id })
      }
      const before = known.get(id)
      const same = before?.text === text.trim() && before.flags.length === 0
      if (same || (!before && text.trim() === "")) continue
      if (text.trim() === "") {
        throw new FourtierError({
          where: `answer ${id}`,
          what: "an answer cannot be taken back",
          expected: "another text",
          fix: "write what is to be seen; or have the model asked again",
        })
      }
      if (text.length > LONGEST_ANSWER) {
        const expected = `${LONGEST_ANSWER} characters at most`
        throw new FourtierError({
          where: `answer ${id}`,
          what: "the answer is too long",
          expected,
          found: `${text.length}`,
        })
      }
      await this.#put(clip, prompt, text.trim())
    }
  }

  async #put(clip: Clip, prompt: Prompt, text: string): Promise<void> {
    const file = this.#file
    if (file !== null) {
      if (!file.endsWith(".jsonl")) {
        throw new FourtierError({
          where: file,
          what: "answers are written into JSON lines only",
          fix: `give the studio a copy as .jsonl: fourtier describe export <data> --out ${basename(file, ".csv")}.jsonl`,
        })
      }
      return editBeside(file, clip, { prompt: prompt.id, answer: text, model: BY_HAND })
    }
    const model = modelOf(this.#config, this.#data)
    await withCache(this.#cache, async (cache) => {
      const own = [...answersAbout(cache, [clip])]
      if (own.some((answer) => answer.prompt === prompt.id && answer.model === model)) {
        editAnswer(cache, clip, prompt.id, text, model)
        return
      }
      // kept where the model's own answer would be
      const { describe, keyFrames } = this.#config
      if (describe === null) return
      const provider = await openProvider(describe)
      try {
        const { count: frames, height } = keyFrames
        const strips = folderStrips(stripFolder(cache.path), { frames, height })
        const strip = strips.settingsOf?.(clip) ?? strips.settings
        const { settings } = provider
        putAnswer(cache, clip, prompt, text, {
          model,
          settings,
          strip,
          system: promptsOf(this.#config).system,
          by: "edit",
        })
      } finally {
        await provider.close?.()
      }
    })
  }
}
