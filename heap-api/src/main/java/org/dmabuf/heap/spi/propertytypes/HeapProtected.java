// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether the hardware keeps the CPU out. The component property {@code heap.protected}, see {@link
 * org.dmabuf.heap.HeapProperties#PROTECTED}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapProtected {
    /** {@return the value of {@code heap.protected}} */
    boolean value() default true;
}
