#include <oniguruma.h>

/* The library's globals are variables, which Swift may not touch. */
static inline OnigEncoding quern_onig_utf8(void) { return ONIG_ENCODING_UTF8; }
static inline OnigSyntaxType *quern_onig_syntax(void) { return OnigDefaultSyntax; }

/* The text of an error; variadic in C. */
static inline int quern_onig_error(OnigUChar *text, int code, OnigErrorInfo *info) {
    return onig_error_code_to_str(text, code, info);
}
