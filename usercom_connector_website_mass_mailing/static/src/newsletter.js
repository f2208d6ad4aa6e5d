import { patch } from "@web/core/utils/patch";
import { Subscribe } from "@website_mass_mailing/interactions/subscribe";

patch(Subscribe.prototype, {
    /** Show what subscribing means; as text, whatever stands in it. */
    _updateView(data) {
        super._updateView(...arguments);
        this.el.querySelector(".s_usercom_consent")?.remove();
        if (data.usercom_texts?.length) {
            const shown = document.createElement("p");
            shown.className = "s_usercom_consent small mt-2 mb-0";
            shown.innerText = data.usercom_texts.join("\n");
            this.el.append(shown);
        }
    },
});
