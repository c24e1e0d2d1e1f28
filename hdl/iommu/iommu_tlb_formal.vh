// What the proofs of both IOTLB levels share, for `include in their formal sections: one arbitrary requester, page and translation,
// and whether that translation may still be used.

wire [45:0] f_requester;  // {DID, PV, PID, priv}
wire [51:0] f_page;       // a page of its IOVAs
translation_t f_translation;
wire [iommu_spec_pkg::TRANSLATION_W-1:0] f_translation_bits;

formal_constant #(.WIDTH(46)) u_f_requester (.value_o(f_requester));
formal_constant #(.WIDTH(52)) u_f_page (.value_o(f_page));
formal_constant #(.WIDTH(iommu_spec_pkg::TRANSLATION_W)) u_f_translation (.value_o(f_translation_bits));
assign f_translation = f_translation_bits;

// The translation is filled for the page, by a fill that this level takes.
wire f_filled = fill_i && {fill.did, fill.pv, fill.pid, fill.priv} == f_requester && fill_translation_i == f_translation_bits &&
    ((fill.iova[63:12] ^ f_page) & ~iommu_spec_pkg::page_number_mask(f_translation.page)) == '0;

// The invalidation names it (RISC-V IOMMU, IOTINVAL.VMA, IOTINVAL.GVMA, IODIR; guest addresses are not stored, so every
// IOTINVAL.GVMA of the guest names it, as the specification demands where the guest address is not known).
wire f_same_guest = !invalidation.gv || f_translation.gscid == invalidation.gscid;
wire f_same_address = !invalidation.av ||
    ((f_page ^ invalidation.vpn) & ~(iommu_spec_pkg::page_number_mask(f_translation.first_page) | invalidation.vpn_mask)) == '0;
wire f_same_process = !invalidation.pscv || (f_translation.pscv && f_translation.pscid == invalidation.pscid && !f_translation.g);
wire f_named_by_directory = !invalidation.dv ||
    (f_requester[45:22] == invalidation.did && (!invalidation.pv || f_requester[20:1] == invalidation.pid));
wire f_named_by_address = invalidation.gvma ? f_translation.gv && f_same_guest
    : f_translation.gv == invalidation.gv && f_same_guest && f_same_process && f_same_address;
wire f_invalidated = invalidate_i &&
    (invalidation.everything || (invalidation.directory ? f_named_by_directory : f_named_by_address));

// Filled, and not invalidated since; an invalidation wins over a fill in its cycle.
logic f_live_q;
always_ff @(posedge clk_i) f_live_q <= (f_live_q || f_filled) && !f_invalidated && !rst_i;

logic f_started_q = 1'b0;
always_ff @(posedge clk_i) f_started_q <= 1'b1;
always_comb if (!f_started_q) assume (rst_i);
