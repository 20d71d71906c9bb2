// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether a client may use the heap only when the broker's configuration names it. The component property {@code
 * heap.restricted}, see {@link org.dmabuf.heap.HeapProperties#RESTRICTED}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapRestricted {
    /** {@return the value of {@code heap.restricted}} */
    boolean value() default true;
}
