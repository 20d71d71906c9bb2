// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

/** Error in the settings. The message names the setting, its value, the file and the valid values. */
final class InvalidSetting extends Exception {
    private static final long serialVersionUID = 1L;

    InvalidSetting(String sentence) {
        super(sentence);
    }
}
