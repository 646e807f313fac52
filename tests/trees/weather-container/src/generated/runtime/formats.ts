// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The formats of JSON Schema that are checked. Each check takes linear time in the length of the string.

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`, "i");
const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const MAILBOX = /^("(?:[ !#-[\]-~]|\\[ -~])*"|[\w.!#$%&'*+/=?^`{|}~-]+)@(.+)$/;

const matches = (pattern: RegExp) => (text: string): boolean => pattern.test(text);

function isDate(text: string): boolean {
  const [, year = 0, month = 0, day = 0] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)?.map(Number) ?? [];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day > 0 && day <= (DAYS[month - 1] ?? 0) && (month !== 2 || day < 29 || isLeap);
}

function isTime(text: string): boolean {
  const found = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i.exec(text);
  if (!found) return false;
  const [hour = 0, minute = 0, second = 0, , awayHours = 0, awayMinutes = 0] = found.slice(1).map((part) => Number(part ?? 0));
  if (hour > 23 || minute > 59 || awayHours > 23 || awayMinutes > 59) return false;
  if (second < 60) return true;
  // A leap second is the last one of a day in UTC.
  const away = (awayHours * 60 + awayMinutes) * (found[4] === "-" ? -1 : 1);
  return second === 60 && (hour * 60 + minute - away + 2880) % 1440 === 1439;
}

function isDateTime(text: string): boolean {
  return /^.{10}[t\s]/i.test(text) && isDate(text.slice(0, 10)) && isTime(text.slice(11));
}

const isHost = (text: string): boolean => text.length <= 253 && HOST.test(text);
const isIpv4 = matches(new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`));
const isIpv6 = (text: string): boolean => /^[\da-f:.]{2,45}$/i.test(text) && URL.canParse(`http://[${text}]`);

function isEmail(text: string): boolean {
  const [, name = "", host = ""] = MAILBOX.exec(text) ?? [];
  if (name === "" || name.length > 64 || (!name.startsWith('"') && /^\.|\.\.|\.$/.test(name))) return false;
  const [, ipv6, ipv4] = /^\[(?:ipv6:(.*)|(.*))\]$/i.exec(host) ?? [];
  return ipv6 !== undefined ? isIpv6(ipv6) : ipv4 !== undefined ? isIpv4(ipv4) : isHost(host);
}

const PART = "[\\w.~!$&'()*+,;=:-]|%[\\da-f]{2}";
const AUTHORITY = new RegExp(`^(?:(?:${PART})*@)?(?:\\[[\\da-f:.]+\\]|\\[v[\\da-f]+\\.[\\w.~!$&'()*+,;=:-]+\\]|(?:(?!:)(?:${PART}))*)(?::\\d*)?$`, "i");
const PATH = new RegExp(`^(?:${PART}|[@/])*$`, "i");
const REST = new RegExp(`^(?:${PART}|[@/?])*$`, "i");

/** RFC 3986: a URI, or a reference, which may lack the scheme. */
function isUri(text: string, isReference: boolean): boolean {
  const [, scheme, authority = "", path = "", query = "", fragment = ""] = /^(?:([^:/?#]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  return (scheme === undefined ? isReference : /^[a-z][a-z\d+.-]*$/i.test(scheme)) && AUTHORITY.test(authority) && PATH.test(path) && REST.test(query) && REST.test(fragment);
}

/** With a host of bounded length: JavaScript takes more than linear time for one that is not ASCII. */
const URL_TEXT = /^(?:https?|ftp):\/\/[/\\]*[^\s\p{Cc}/\\?#]{1,1000}(?:[/\\?#][^\s\p{Cc}]*)?$/iu;

/** Existing classes such as `\p{L}`. For each use in a pattern JavaScript collects all characters of the class. */
const classes = new Set<string>();

function cheaper(escape: string): string {
  if (!/^\\p\{/i.test(escape)) return escape;
  if (!classes.has(escape)) classes.add(new RegExp(escape, "u").source);
  return "\\d";
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text.replace(/\\(?:[pP]\{[^{}]*\}|.)/gsu, cheaper), "u") instanceof RegExp;
  } catch {
    return false;
  }
}

const VARIABLE = "(?:\\w|%[\\da-f]{2})+(?:\\.(?:\\w|%[\\da-f]{2})+)*(?::[1-9]\\d{0,3}|\\*)?";

export const FORMATS: ReadonlyMap<unknown, (text: string) => boolean> = new Map(Object.entries({
  date: isDate,
  time: isTime,
  "date-time": isDateTime,
  duration: matches(/^P(?:\d+W|(?=[\dT])(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)?(?:T(?=\d)(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?)$/),
  uri: (text) => isUri(text, false),
  "uri-reference": (text) => isUri(text, true),
  "uri-template": matches(new RegExp(`^(?:[^\\s\\p{Cc}"<>%\\\\^\`{|}]|%[\\da-f]{2}|\\{[+#./;?&=,!@|]?${VARIABLE}(?:,${VARIABLE})*\\})*$`, "iu")),
  url: (text) => URL_TEXT.test(text) && URL.canParse(text),
  email: isEmail,
  hostname: isHost,
  ipv4: isIpv4,
  ipv6: isIpv6,
  regex: isRegex,
  uuid: matches(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i),
  "json-pointer": matches(/^(?:\/(?:[^~/]|~[01])*)*$/),
  "json-pointer-uri-fragment": matches(/^#(?:\/(?:[\w.!$&'()*+,;:=@-]|%[\da-f]{2}|~[01])*)*$/i),
  "relative-json-pointer": matches(/^(?:0|[1-9]\d*)(?:#|(?:\/(?:[^~/]|~[01])*)*)$/),
} satisfies Record<string, (text: string) => boolean>));
