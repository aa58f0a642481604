/**
 * Whether an answer as a whole refuses, or says that there is nothing to see. One sentence of regret does not make a refusal: an
 * answer that goes on to describe the clip is an answer. So every clause is sorted into those that refuse, those that go along with a
 * refusal (apologies, offers, requests for an image), and those that say something; what decides is how much is said.
 */

/** What a model calls what it was to look at. */
const PICTURE =
  "(?:image|picture|photo(?:graph)?|video|clip|frame|strip|visual(?: content)?|file|attachment|content|footage|screenshot)s?"
const CANNOT = `(?:can ?not|can't|cant|could ?n[o']t|won't|will not|not (?:currently |yet |really )?(?:able|allowed|permitted|equipped|designed|in a position|comfortable)|unable|do(?:es)? ?n[o']t have (?:the )?(?:ability|capability|capacity|access|means|permission)|lack the (?:ability|capability)|have no (?:way|ability|access|means)|not possible (?:for me )?|must (?:decline|refuse)|have to decline|decline)`
const SPEAKER = "(?:i|we|this model|the model|this assistant|the assistant)"
/** What nobody says of a detail of a clip. */
const DO =
  "(?:view|access|open|process|analy[sz](?:e|ing)|interpret|perceive|display|load|read|watch|receiv(?:e|ing)|describ(?:e|ing)|discuss|help|assist|comply|answer|provid(?:e|ing)|respond|fulfil+|comment|continu(?:e|ing)|engag(?:e|ing)|support|generat(?:e|ing)|do (?:that|this|so))"
/** What may also be said of a detail ("I cannot identify the object in his hand"): a refusal only about the whole. */
const SEE = "(?:see|look|find|detect|identify|recogni[sz]e|determine|tell|say|make out|know|verify)"
const WHOLE = `(?:${PICTURE}|people|persons?|individuals?|anyone|anything|who|category|what (?:is|was|'s)|what the|that|this|it|without)`

/** What becomes of an image on its way to the model. */
const ARRIVED =
  "(?:provided?|detected|found|attach(?:ed)?|upload(?:ed)?|included?|supplied|shared?|received?|sent|given|load(?:ed)?|displayed|available|come through|came through|accessible|visible to me)"

/** Clauses that refuse. The text is folded: lower case, straight apostrophes. */
const REFUSES: readonly RegExp[] = [
  // English: an inability of the speaker, or of a program
  new RegExp(`\\b${SPEAKER}\\b[^,;]{0,25}?\\b${CANNOT}[^;]{0,40}?\\b${DO}`),
  new RegExp(`\\b${SPEAKER}\\b[^,;]{0,25}?\\b${CANNOT}[^;]{0,40}?\\b${SEE}(?: \\w+){0,3}? ${WHOLE}\\b`),
  new RegExp(
    `^(?:sorry|apologies|unfortunately)?[, ]*(?:but )?(?:${CANNOT}|not able) (?:to )?(?:${DO}|${SEE} .*${WHOLE}\\b)`,
  ),
  new RegExp(
    `\\b(?:i|we) (?:do not|don't|did not|didn't|have not|haven't|never|cannot|can't) (?:actually |currently |yet )?(?:see|have|find|receive|received|get|got|perceive|detect)\\b[^;]{0,25}\\b(?:${PICTURE}|eyes|vision)\\b`,
  ),
  /\bi (?:can only|am only able to|'m only able to) (?:process|work with|read|understand|respond to|assist with) text\b/,
  /\b(?:i am|i'm|as) (?:just |only )?an? (?:\w+ )?(?:text[- ](?:based|only)|language model|ai|artificial intelligence)\b(?!-)/,
  // nothing arrived
  new RegExp(`\\bno (?:\\w+ ){0,2}${PICTURE}\\b[^;]{0,20}?\\b${ARRIVED}\\b`),
  new RegExp(`\\b${PICTURE}\\b[^;]{0,15}?(?:\\bnot|n't|\\bnever|\\bfailed to) (?:\\w+ ){0,2}${ARRIVED}\\b`),
  new RegExp(`\\b(?:did|have|has|was|were)(?: not|n't) (?:\\w+ ){0,2}${ARRIVED}\\b[^;]{0,20}\\b${PICTURE}\\b`),
  new RegExp(
    `\\b(?:there (?:is|was|seems to be|appears to be)|i see|i have|i received|i got) no (?:\\w+ )?${PICTURE} (?:to (?:describe|analy|look|see|view)|here|in (?:your|this|the) (?:message|request|prompt|conversation|chat)|attach|provid|upload)`,
  ),
  /^no (?:image|picture|photo|video|visual input|file|attachment)s?$/,
  /\b(?:none|nothing) (?:is|was|has been|were) (?:attached|uploaded|provided|included|shared|received)\b/,
  new RegExp(
    `\\b${PICTURE} (?:\\w+ ){0,4}?(?:(?:\\w+ or )?missing|not found|blank|empty|corrupt(?:ed)?|unavailable|absent|inaccessible|broken|unreadable)$`,
  ),
  new RegExp(
    `\\b${PICTURE} (?:can ?not|can't|could ?n[o']t|couldn't) be (?:accessed|processed|displayed|opened|viewed|analy[sz]ed|loaded|read|shown|seen|described)`,
  ),
  new RegExp(
    `\\b(?:i|we)(?:'d| would|'ll| will)? need (?:to see|you to|access to|an? |the )[^;]{0,30}\\b${PICTURE}\\b`,
  ),
  /\b(?:image|picture|photo|video|file|attachment)s? (?:did ?n[o']t|didn't|failed to|could ?n[o']t|couldn't|can ?not|can't|does ?n[o']t|doesn't) (?:be )?(?:upload|load|come|display|open|process|seem|appear|attach|view)/,
  // rules
  /\b(?:against|violates?|violate|not allowed by|prohibited by|goes against|conflicts? with|not permitted (?:by|under)|outside)\b[^;]{0,20}\b(?:guidelines?|polic(?:y|ies)|rules|safety|terms|programming|scope)\b/,
  /\b(?:guidelines?|polic(?:y|ies)|programming|safety (?:rules|settings)) (?:do not|don't|does not|doesn't|prohibits?|prevents?|forbids?)\b/,
  /\b(?:request|image|content|response|prompt) (?:was|has been|is|were) (?:blocked|rejected|filtered|flagged|removed|refused)\b/,
  /\bas an ai\b(?!-)/,
  // nothing but that there is no answer
  /^(?:n\/a|n\.a|not applicable|(?:can ?not|can't|unable to|impossible to|not able to) (?:be )?(?:determined?|tell|told|say|identify|identified|answer(?:ed)?|describe)|not determinable|undeterminable|content (?:was |has been )?(?:filtered|blocked|removed)|\[?(?:blocked|filtered|redacted|refused)\]?)$/,
  // German
  /\b(?:ich (?:kann|darf|konnte|sehe|habe|bin|erhalte)|(?:kann|darf|konnte|sehe|habe|bin) ich)\b[^;]{0,60}\b(?:nicht|kein(?:e|en)?|leider|außerstande)\b[^;]{0,60}(?:\b(?:sehen|ansehen|anzeigen|betrachten|verarbeiten|analysieren|erkennen|identifizieren|helfen|beschreiben|beantworten|öffnen|bild|bilder|video|zugriff|lage|erhalten)\b|$)/,
  /\b(?:kein|keine) (?:bild|bilder|foto|video|datei|anhang)\b[^;]{0,30}\b(?:hochgeladen|angehängt|bereitgestellt|übermittelt|gesendet|vorhanden|erhalten|beigefügt)\b/,
  // French
  /\bje (?:ne |n')?\b[^;]{0,30}(?:\bpas\b|\bmalheureusement\b|\bincapable\b|\baucune?\b)[^;]{0,60}(?:\b(?:voir|visualiser|afficher|analyser|identifier|aider|décrire|répondre|accéder|traiter|image|vidéo|photo|mesure|capable|demande)\b|$)/,
  /\baucune (?:image|photo|vidéo|pièce jointe)\b[^;]{0,40}\b(?:fournie|jointe|reçue|téléchargée|disponible|envoyée)\b/,
  // Spanish
  /\bno (?:puedo|podr[eé]|soy capaz|tengo (?:la )?(?:capacidad|acceso)|veo|me es posible|estoy en condiciones)[^;]{0,60}\b(?:ver|visualizar|analizar|procesar|identificar|ayudar|ayudarte|ayudarle|describir|responder|acceder|imagen|imágenes|vídeo|video|foto|cumplir)\b/,
  /\bno (?:se )?(?:ha |has |hay )?[^;]{0,20}\b(?:proporcionado|adjuntado|recibido|subido|compartido)?\b[^;]{0,12}\bningun[ao]? (?:imagen|foto|vídeo|video|archivo)\b/,
  // Italian
  /\bnon (?:posso|riesco|sono in grado|vedo|ho accesso|ho la capacità|mi è possibile)\b[^;]{0,60}\b(?:vedere|visualizzare|analizzare|elaborare|identificare|aiutare|aiutarti|descrivere|rispondere|immagine|immagini|video|foto|accedere|richiesta)\b/,
  // Portuguese
  /\bnão (?:posso|consigo|sou capaz|tenho (?:a )?(?:capacidade|acesso)|vejo|é possível)\b[^;]{0,60}\b(?:ver|visualizar|analisar|processar|identificar|ajudar|descrever|responder|acessar|imagem|imagens|vídeo|foto|atender)\b/,
  // Dutch
  /\b(?:ik (?:kan|mag|zie|heb|ben)|(?:kan|mag|zie|heb|ben) ik)\b[^;]{0,50}\b(?:niet|geen|helaas)\b[^;]{0,60}(?:\b(?:zien|bekijken|analyseren|verwerken|identificeren|helpen|beschrijven|beantwoorden|afbeelding|afbeeldingen|foto|video|staat|toegang)\b|$)/,
  // Swedish, Danish, Norwegian
  /\b(?:jag (?:kan|ser|har)|(?:kan|ser|har) jag)\b[^;]{0,40}\b(?:inte|ingen|tyvärr)\b[^;]{0,40}\b(?:se|hjälpa|bild|bilden|bilder|visa|analysera|beskriva|video)\b/,
  /\b(?:jeg (?:kan|ser|har)|(?:kan|ser|har) jeg)\b[^;]{0,40}\b(?:ikke|ikkje|ingen|intet|desværre|dessverre)\b[^;]{0,40}\b(?:se|hjælpe|hjelpe|billede|billeder|bilde|bilder|bildet|vise|analysere|beskrive|video)\b/,
  // Polish, Czech
  /\bnie (?:mogę|jestem w stanie|widzę|mam (?:dostępu|możliwości))[^;]{0,60}(?:zobaczyć|obejrzeć|wyświetlić|przeanalizować|zidentyfikować|pomóc|opisać|odpowiedzieć|obraz|zdjęci|wideo)/,
  /\b(?:nemohu|nemůžu|nejsem schopen|nevidím|nedokážu)[^;]{0,60}(?:zobrazit|vidět|analyzovat|pomoci|pomoct|popsat|identifikovat|obráz|fotk|video)/,
  // Russian, Ukrainian
  /(?:^|\s)я? ?(?:не могу|не вижу|не в состоянии|не имею (?:доступа|возможности)|не способен|не можу|не бачу)(?:\s[^;]{0,60})?(?:видеть|увидеть|просматривать|просмотреть|обработать|анализировать|помочь|описать|ответить|определить|опознать|изображени|картинк|фото|видео|бачити|допомогти|зображен)/,
  /(?:изображение|картинка|фото|видео) (?:не (?:было )?(?:прикреплено|загружено|предоставлено|получено|приложено)|отсутствует)/,
  // Turkish
  /(?:görsel|resim|resmi|görüntü|video|fotoğraf|yardımcı|isteğe|talebe)[^;]{0,40}(?:göremiyorum|görüntüleyemiyorum|olamam|olamıyorum|analiz edemiyorum|yanıt veremem|erişemiyorum|yok)/,
  // Arabic, Hindi, Vietnamese, Indonesian
  /(?:لا (?:أستطيع|يمكنني|أرى)|لست قادر)[^;]{0,60}(?:رؤية|عرض|تحليل|مساعد|وصف|الصور|صورة|تحديد|الفيديو)/,
  /(?:तस्वीर|छवि|चित्र|वीडियो|मदद|सहायता)[^;]{0,50}(?:नहीं (?:कर )?(?:सकता|सकती|देख|मिल)|असमर्थ)/,
  /(?:không thể|không có khả năng|không nhìn thấy|không thấy)[^;]{0,50}(?:xem|nhìn|giúp|hỗ trợ|mô tả|phân tích|hình ảnh|ảnh|video)/,
  /(?:tidak (?:dapat|bisa|mampu|melihat))[^;]{0,50}(?:melihat|membantu|menganalisis|mengidentifikasi|mendeskripsikan|gambar|foto|video)/,
  // Chinese, Japanese, Korean
  /(?:我|^|作为[^;]{0,12})(?:目前|暂时|现在|實在|实在|并|並)?(?:无法|不能|没法|不可以|没有办法|無法|看不到|没有看到|沒有看到|未(?:能)?(?:看到|收到))[^;]{0,20}(?:查看|看到|看见|识别|識別|處理|处理|分析|描述|提供|协助|帮助|幫助|回答|访问|图片|图像|圖片|圖像|视频|影片|请求|任何)/,
  /(?:没有|未|沒有)(?:提供|上传|上傳|附上|收到)[^;]{0,8}(?:图|圖|照片|视频|影片)/,
  /(?:画像|動画|写真|リクエスト|ご要望|お手伝い|お答え|特定)[^;]{0,30}(?:できません|できかねます|見えません|見られません|いただけません|お応えできません|(?:添付|提供|アップロード)されていま?(?:せん|ない))/,
  /(?:リクエスト|ご要望|ご質問)[^;]{0,12}(?:応え|対応|回答)[^;]{0,8}(?:できません|かねます)/,
  /(?:이미지|사진|영상|동영상|그림)[^;]{0,12}(?:볼|확인할|분석할|처리할|식별할|설명할|인식할)[^;]{0,8}(?:없|못)/,
  /(?:이미지|사진|영상|동영상|그림)[^;]{0,8}(?:첨부|업로드|제공|전송)[^;]{0,6}(?:않|없)/,
  /(?:요청|도움|도와|답변|대답)[^;]{0,20}(?:수 없|어렵|못)/,
]

/** Clauses that go along with a refusal and say nothing about a clip. */
const ALONG: readonly RegExp[] = [
  /^(?:i'?m|i am|we are|we're)? ?(?:very |really |so |truly )?(?:sorry|afraid)\b.{0,25}$/,
  /^(?:sorry|apologies|my apologies|i apologi[sz]e|unfortunately|regrettably|thank you|thanks|hello|hi|sure|of course|however|but|it (?:seems|looks like|appears)(?: that)?)\b.{0,40}$/,
  /\b(?:please|could you|can you|would you|kindly|try)\b.{0,30}\b(?:provide|upload|attach|share|send|describe|paste|resend|re-upload|try again|tell me|give me|check)(?:ing)?\b/,
  /\benough (?:information|context|details?)\b/,
  /\bif you(?:'d\b| (?:can|could|have|would|provide|describe|share|upload|need|want|like|tell|give|let)\b)/,
  /\b(?:let me know|feel free|happy to|glad to|i(?:'d| would| will|'ll|'m here| am here| can help| can assist| can offer| can provide| can answer).{0,20}\b(?:help|assist|describe|answer|do my best|offer|provide)|is there anything else|in text form|text[- ]based|do my best)\b/,
  /^(?:as|because|since|which|due to|for) .{0,60}\b(?:guideline|policy|policies|privacy|model|ai|limitation|capabilit)/,
  /\b(?:tut mir leid|entschuldigung|leider|bitte (?:laden|senden|stellen|beschreiben|geben)|wenn sie|falls sie|gerne? (?:helfe|weiter)|helfe ich)\b/,
  /\b(?:désolé|malheureusement|veuillez|si vous|n'hésitez pas|pourriez-vous)/,
  /\b(?:lo siento|lamentablemente|por favor|disculpa|si (?:me|puedes|quieres|desea|necesitas)|con gusto|podrías)\b/,
  /\b(?:mi dispiace|purtroppo|per favore|per cortesia|se (?:vuoi|puoi|hai))\b/,
  /\b(?:desculpe|lamento|infelizmente|por favor|se (?:você|puder|quiser))\b/,
  /\b(?:het spijt me|helaas|sorry|alstublieft|als u|als je|gelieve)\b/,
  /\b(?:tyvärr|förlåt|beklager|desværre|dessverre|przykro mi|przepraszam|niestety|prosz|omlouvám se|bohužel|prosím)/,
  /(?:извините|к сожалению|пожалуйста|простите|если вы|вибачте|на жаль)/,
  /(?:üzgünüm|maalesef|lütfen|عذر|آسف|للأسف|يرجى|क्षमा|माफ|कृपया|xin lỗi|rất tiếc|vui lòng|maaf|silakan)/,
  /(?:抱歉|对不起|對不起|不好意思|很遗憾|请(?:您)?(?:提供|上传|描述|重新)|請(?:您)?(?:提供|上傳|描述)|如果您|作为(?:一个)?(?:ai|人工智能|语言模型)|申し訳|すみません|恐れ入ります|ください|もし|죄송|미안|유감|주세요|주시면)/,
]

/** Shares and lengths that decide, in words; two characters of a script without spaces count as one word. */
const SAID_SHARE = 0.4
const SAID_WORDS = 5

/**
 * Whether the answer is a refusal, and little else.
 * @example
 * refuses("Sorry, I can't see any image.") // true
 * refuses("I can't tell who they are, but two men hug in a car park.") // false
 */
export function refuses(answer: string): boolean {
  const folded = answer
    .normalize("NFKC")
    .replace(/[’‘`´]/g, "'")
    .toLowerCase()
    .trim()
  let [refused, said, all] = [false, 0, 0]
  for (const clause of clausesOf(folded)) {
    const words = lengthOf(clause)
    all += words
    if (REFUSES.some((pattern) => pattern.test(clause))) refused = true
    else if (isRequest(clause)) refused = true
    else if (!ALONG.some((pattern) => pattern.test(clause))) said += words
  }
  return refused && (said < SAID_WORDS || said < SAID_SHARE * all)
}

/** A request for an image: nobody who sees one makes it. */
function isRequest(clause: string): boolean {
  return (
    /^.{0,30}\b(?:please|could you|can you|would you|kindly)\b.{0,20}\b(?:provide|upload|attach|share|send|re-?upload|resend)(?:ing)?\b.{0,30}\b(?:image|picture|photo|video|file|clip|frame|strip)/.test(
      clause,
    ) && !/\b(?:he|she|they|who|asks?|asking|says?)\b/.test(clause)
  )
}

/** Sentences, and their halves where a "but" turns what is said around. */
function clausesOf(text: string): string[] {
  return text
    .split(
      /[.!?。！？;；:\n]+(?:\s|$)|[。！？；\n]|,? (?:but|however|although|though|nevertheless|instead|based on)\b,?|，(?:但|不过|然而)|、?ただし/u,
    )
    .map((clause) => clause.replace(/^[\s,"'*()-]+|[\s,"'*()]+$/g, ""))
    .filter((clause) => clause !== "")
}

function lengthOf(clause: string): number {
  const dense = clause.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu)?.length ?? 0
  const words = clause
    .replace(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu, " ")
    .match(/[\p{L}\p{N}']+/gu)
  return dense / 2 + (words?.length ?? 0)
}
