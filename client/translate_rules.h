/*
 * What the second half of translate knows, as data: the words that speak of a GUI, what makes an
 * instruction of them, and what is said in its place. English and Chinese. Constant.
 */
#ifndef LIPSYNC_TRANSLATE_RULES_H
#define LIPSYNC_TRANSLATE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a word is for the grammar of an instruction. */
enum word_class {
    WORD_OTHER,
    WORD_PLAIN, /* looks like one of the classes below and is none: "click track", 点击率 */

    /* verbs that may instruct */
    WORD_CLICK,
    WORD_PRESS,
    WORD_DRAG,
    WORD_DROP,
    WORD_OPEN,
    WORD_GO,
    WORD_VIEW,
    WORD_FIND,
    WORD_EDIT,
    WORD_USE,
    WORD_PICK,
    WORD_EXPORT, /* these two are also names of buttons */
    WORD_UPLOAD,
    WORD_VERB_FIRST = WORD_CLICK,
    WORD_VERB_LAST = WORD_UPLOAD,

    /* things of a GUI */
    WORD_BUTTON,
    WORD_PANEL,
    WORD_TIMELINE,
    WORD_TRACK,
    WORD_ACCOUNT,
    WORD_LINK,
    WORD_KEY,
    WORD_HERE,
    WORD_PLACE, /* the top right corner */

    /* who is meant */
    WORD_YOU,
    WORD_YOUR,
    WORD_I,
    WORD_PERSON,   /* somebody in the video; does what follows, over commas too */
    WORD_SCENE,    /* the video that shows it */
    WORD_SCENE_OF, /* 的镜头: what comes before it tells of a scene */
    WORD_THEIR,
    WORD_CAPTION, /* after these, what is quoted is content */

    /* what stands around a verb */
    WORD_CHAIN, /* please, can, need to: between "you" and the verb */
    WORD_TAKE,  /* 把: what comes before the verb is its object */
    WORD_NOT,
    WORD_WHEN,
    WORD_BEFORE,
    WORD_AFTER,  /* 后: what comes before it is no part of an instruction */
    WORD_WITHIN, /* 在 … 中 */
    WORD_JOIN,   /* and, or */
    WORD_IN,
    WORD_ARTICLE,
    WORD_DONE, /* 了: the verb tells what was done */

    WORD_POINT, /* 点: a click if it is one of something, else WORD_OTHER */

    /* marks */
    WORD_STOP,    /* the border of a clause */
    WORD_OPENING, /* of a quotation */
    WORD_CLOSING,
    WORD_EMPHASIS, /* Markdown's asterisks */
    WORD_MARK,
};

struct lexicon {
    enum word_class class;
    bool gerund;                /* clicking; or a passive: can be seen */
    const char *const *phrases; /* up to a NULL, lower case, all of one language by their first
                                   characters; the longest one of the lexicon that fits counts */
};
extern const struct lexicon translate_lexicon[];
extern const size_t translate_lexicon_size;

/* Where a verb stands: bits. */
enum position {
    AT_START = 1, /* at the start of a clause, or after "you can" */
    AT_JOIN = 2,  /* after "and" */
    AT_INNER = 4, /* inside a clause: an instruction only with other signs of one */
    ANYWHERE = AT_START | AT_JOIN | AT_INNER,
};

/* What was found around a verb: bits. */
enum sign {
    SIGN_EXPORT = 1 << 0,
    SIGN_UPLOAD = 1 << 1,
    SIGN_ACCOUNT = 1 << 2,
    SIGN_LABEL = 1 << 3, /* a quoted or capitalised name */
    SIGN_BUTTON = 1 << 4,
    SIGN_PANEL = 1 << 5,
    SIGN_TIMELINE = 1 << 6,
    SIGN_IN_PANEL = 1 << 7, /* "in the Text panel", "with the slider" */
    SIGN_IN_TIMELINE = 1 << 8,
    SIGN_TRACK = 1 << 9,
    SIGN_KEY = 1 << 10,
    SIGN_HERE = 1 << 11,
    SIGN_LINK = 1 << 12,
    SIGN_THEIR = 1 << 13,
    SIGN_YOU = 1 << 14,
    SIGN_GERUND = 1 << 15,
    SIGN_IN_BUTTON = 1 << 16,
    SIGN_NAMED = 1 << 17, /* the verb is the name of a button: "the Export button" */
    SIGN_URL = 1 << 18,   /* in the same sentence */
    SIGN_FIRM = 1 << 19,  /* the label is marked as one: by quotes, bold type, capitals */
    SIGN_MEANS = 1 << 20, /* "by" stands before the verb */
};

enum advice {
    ADVICE_NONE,
    ADVICE_WISH,
    ADVICE_STATE,
    ADVICE_WRITE, /* the name of a button to `instruct` */
    ADVICE_UPLOAD,
    ADVICE_TIMELINE,
    ADVICE_CREDITS,
    ADVICE_EXPORT, /* starts one */
    ADVICE_EXPORT_BY_HAND,
    ADVICE_NOTHING,     /* "no need to click anything" */
    ADVICE_LINK,        /* stands for the verb only: "click the link" */
    ADVICE_LINK_HERE,   /* "click here" */
    ADVICE_IN_TIMELINE, /* these two stand for the place only: "find it in the timeline" */
    ADVICE_IN_STATE,
    ADVICE_PART,      /* part of an instruction, if its neighbour is one */
    ADVICE_PART_EDIT, /* the same, but not of an export and the like */
};

/* The first rule that fits decides. */
struct rule {
    enum word_class verb;
    unsigned positions;
    unsigned any;    /* at least one of these signs; 0: none needed */
    unsigned all;    /* and all of these */
    unsigned refuse; /* and none of these */
    enum advice advice;
};
extern const struct rule translate_rules[];
extern const size_t translate_rules_size;

/* What is said: a verb phrase for where "click …" stood ("%s" is the label), and for "clicking …".
 */
struct advice_words {
    const char *english, *english_gerund, *chinese;
};
extern const struct advice_words translate_advice[];

#endif
