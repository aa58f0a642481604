/** XML as a stream of elements; entities are not expanded and nothing is fetched. */

import { FourtierError, messageOf } from "@fourtier/tensor"
import { SaxesParser } from "saxes"
import { readForeignText } from "../util/text.ts"

export interface XmlElement {
  name: string
  attributes: Readonly<Record<string, string>>
  line: number
}

/**
 * Reads a file and hands over its elements.
 * @param handlers `open` at a start tag, `close` at an end tag with the text that was directly in the element
 * @throws FourtierError for XML that is not well-formed
 */
export async function readXml(
  path: string,
  handlers: { open(element: XmlElement): void; close(name: string, text: string): void },
): Promise<void> {
  const parser = new SaxesParser()
  const texts: string[] = []
  parser.on("error", (error) => {
    throw new FourtierError({
      where: `${path}:${parser.line}`,
      what: "not well-formed XML",
      found: messageOf(error),
      fix: "export the file again",
    })
  })
  parser.on("opentag", ({ name, attributes }) => {
    texts.push("")
    handlers.open({ name, attributes, line: parser.line })
  })
  parser.on("text", (text) => void texts.push(`${texts.pop() ?? ""}${text}`))
  parser.on("cdata", (text) => void texts.push(`${texts.pop() ?? ""}${text}`))
  parser.on("closetag", ({ name }) => handlers.close(name, (texts.pop() ?? "").trim()))
  parser.write(await readForeignText(path)).close()
}
