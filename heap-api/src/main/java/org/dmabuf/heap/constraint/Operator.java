// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.constraint;

import java.util.function.BiFunction;

/** Operator of a kind: the code that reads its values. A vendor chooses one of them and adds no code. */
enum Operator {
    RANGE("range", "a range such as 0x0-0x3fffffff or 30bit", RangeValue::read),
    MULTIPLE("multiple", "a number from 1", MultipleValue::read),
    AT_MOST("at-most", "a number", BoundValue::read),
    AT_LEAST("at-least", "a number", BoundValue::read),
    ONE_OF("one-of", "words separated by ','", WordsValue::read),
    NONE_OF("none-of", "words separated by ','", NoneOfValue::read),
    MUST("must", "true", FlagValue::read),
    LISTS("lists", "'contiguous', or pairs ENTRIESxBYTES separated by ','", ListsValue::read),
    /** Operator of a kind that is not known here. No heap meets its values. */
    UNKNOWN("unknown", "a word", UnknownValue::read);

    private final String text;
    private final String form;
    private final BiFunction<ConstraintKind, String, ConstraintValue> parser;

    Operator(String text, String form, BiFunction<ConstraintKind, String, ConstraintValue> parser) {
        this.text = text;
        this.form = form;
        this.parser = parser;
    }

    /** {@return the form of its values, for messages} */
    String form() {
        return form;
    }

    /**
     * Parses a value.
     *
     * @throws IllegalArgumentException without a message, for another form
     */
    ConstraintValue parse(ConstraintKind kind, String value) {
        return parser.apply(kind, value);
    }

    @Override
    public String toString() {
        return text;
    }
}
