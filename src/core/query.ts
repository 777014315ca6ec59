/** The decoded values of the parameter `name` of a raw query, in their order. */
export function queryValues(query: string, name: string): string[] {
  const values: string[] = [];
  if (query === "") return values;
  for (const parameter of query.split("&")) {
    const border = parameter.indexOf("=");
    const rawName = border < 0 ? parameter : parameter.slice(0, border);
    if (decodeForm(rawName) === name) values.push(border < 0 ? "" : decodeForm(parameter.slice(border + 1)));
  }
  return values;
}

/** `+` and percent-encoding as in HTML forms; a text with a broken escape stays as it is. */
function decodeForm(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
